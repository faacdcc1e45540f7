# expect: deidentify-private: private elements are left
import io

import pydicom


def deidentify(file: bytes, salt: str) -> bytes:
    scan = pydicom.dcmread(io.BytesIO(file))
    days = days_for(salt, str(scan.get("PatientID", "")))

    def clean(level):
        for element in list(level):
            if element.tag.is_private:
                pass
            elif element.VR == "SQ":
                for item in element.value:
                    clean(item)
            elif element.VR == "PN" or element.keyword in IDENTIFYING:
                element.value = ""
            elif element.keyword == "PatientID":
                element.value = pseudonym(salt, str(element.value))
            elif element.VR == "UI" and element.value and not str(element.value).startswith("1.2.840.10008."):
                element.value = new_uid(salt, str(element.value))
            elif element.VR in ("DA", "DT") and element.value:
                element.value = moved(str(element.value), days)

    clean(scan)
    scan.PatientIdentityRemoved = "YES"
    scan.file_meta.MediaStorageSOPInstanceUID = scan.SOPInstanceUID
    out = io.BytesIO()
    scan.save_as(out)
    return out.getvalue()

import io

import pydicom


def deidentify(file: bytes, salt: str) -> bytes:
    """Without recursion: a list of data sets still to be cleaned; own pseudonyms."""
    scan = pydicom.dcmread(io.BytesIO(file))
    days = -30 - secret_number(salt, str(scan.PatientID)) % 700
    waiting = [scan]
    while waiting:
        level = waiting.pop()
        for tag in list(level.keys()):
            element = level[tag]
            if element.VR == "SQ" and not tag.is_private:
                waiting.extend(element.value)
            elif tag.is_private or element.VR == "PN" or element.keyword in IDENTIFYING:
                del level[tag]
            elif element.keyword == "PatientID":
                element.value = f"X{secret_number(salt, element.value) % 10**9}"
            elif element.VR in ("DA", "DT"):
                element.value = moved(str(element.value or ""), days)
            elif element.VR == "UI" and element.value and not str(element.value).startswith("1.2.840.10008."):
                element.value = new_uid(salt, str(element.value))
    scan.file_meta.MediaStorageSOPInstanceUID = scan.SOPInstanceUID
    scan.PatientIdentityRemoved = "YES"
    out = io.BytesIO()
    scan.save_as(out)
    return out.getvalue()

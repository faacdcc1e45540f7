import io

import pydicom


def deidentify(file: bytes, salt: str) -> bytes:
    """With pydicom's own walk, private elements first, and elements removed where they may be."""
    scan = pydicom.dcmread(io.BytesIO(file))
    shift = days_for(salt, str(scan.get("PatientID", "")))
    scan.remove_private_tags()

    def visit(level, element):
        if element.keyword == "PatientID":
            element.value = pseudonym(salt, str(element.value))
        elif element.VR == "PN" or element.keyword in IDENTIFYING:
            del level[element.tag]
        elif element.VR == "UI" and element.value and not element.value.startswith("1.2.840.10008."):
            element.value = new_uid(salt, element.value)
        elif element.VR in ("DA", "DT"):
            element.value = moved(str(element.value or ""), shift)

    scan.walk(visit)
    scan.file_meta.MediaStorageSOPInstanceUID = scan.SOPInstanceUID
    scan.PatientIdentityRemoved = "YES"
    out = io.BytesIO()
    pydicom.dcmwrite(out, scan)
    return out.getvalue()

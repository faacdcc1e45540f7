import io

import pydicom


def deidentify(file: bytes, salt: str) -> bytes:
    """With pydicom's own walk, private elements first, and elements removed where they may be."""
    scan = pydicom.dcmread(io.BytesIO(file))
    shift = days_for(salt, str(scan.get("PatientID", "")))
    scan.remove_private_tags()

    def change(kind, text):
        if kind != "UI":
            return moved(text, shift)
        return text if text.startswith("1.2.840.10008.") else new_uid(salt, text)

    def visit(level, element):
        if element.keyword == "PatientID":
            element.value = pseudonym(salt, str(element.value))
        elif element.VR == "PN" or element.keyword in IDENTIFYING:
            del level[element.tag]
        elif element.VR in ("UI", "DA", "DT") and element.VM > 1:
            element.value = [change(element.VR, str(value)) for value in element.value]
        elif element.VR in ("UI", "DA", "DT") and element.value:
            element.value = change(element.VR, str(element.value))

    scan.walk(visit)
    scan.file_meta.MediaStorageSOPInstanceUID = scan.SOPInstanceUID
    scan.PatientIdentityRemoved = "YES"
    out = io.BytesIO()
    pydicom.dcmwrite(out, scan)
    return out.getvalue()

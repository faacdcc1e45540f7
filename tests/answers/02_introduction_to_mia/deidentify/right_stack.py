import io

import pydicom


def deidentify(file: bytes, salt: str) -> bytes:
    """Without recursion: a list of data sets still to be cleaned; own pseudonyms."""
    scan = pydicom.dcmread(io.BytesIO(file))
    texts = lambda element: [str(value) for value in (element.value if element.VM > 1 else [element.value]) if value]  # noqa: E731
    days = -30 - secret_number(salt, str(scan.get("PatientID", ""))) % 700
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
                element.value = "\\".join(moved(text, days) for text in texts(element))
            elif element.VR == "UI":
                element.value = "\\".join(text if text.startswith("1.2.840.10008.") else new_uid(salt, text) for text in texts(element))
    scan.file_meta.MediaStorageSOPInstanceUID = scan.SOPInstanceUID
    scan.PatientIdentityRemoved = "YES"
    out = io.BytesIO()
    scan.save_as(out)
    return out.getvalue()

# expect: deidentify-private: inside of a sequence
def deidentify(file: bytes, salt: str) -> bytes:
    from pydicom.multival import MultiValue

    scan = pydicom.dcmread(io.BytesIO(file))
    days = days_for(salt, str(scan.get("PatientID") or ""))  # once, before anything changes

    def each(value, function):
        """Apply to a single value, to each of several, and not at all to an empty one."""
        if value is None or value == "":
            return value
        if isinstance(value, (MultiValue, list, tuple)):
            return [function(str(v)) if str(v) else "" for v in value]
        return function(str(value))

    def replace_uid(uid):
        return uid if uid.startswith("1.2.840.10008.") else new_uid(salt, uid)

    def clean(level):
        for element in list(level):
            if element.tag.is_private and level is scan:
                del level[element.tag]
            elif element.VR == "SQ":
                for item in element.value:
                    clean(item)
            elif element.keyword == "PatientID":
                element.value = each(element.value, lambda v: pseudonym(salt, v))
            elif element.VR == "PN" or element.keyword in IDENTIFYING:
                element.value = ""
            elif element.VR == "UI":
                element.value = each(element.value, replace_uid)
            elif element.VR in ("DA", "DT"):
                element.value = each(element.value, lambda v: moved(v, days))

    clean(scan)
    if "MediaStorageSOPInstanceUID" in scan.file_meta:
        scan.file_meta.MediaStorageSOPInstanceUID = replace_uid(str(scan.file_meta.MediaStorageSOPInstanceUID))
    scan.PatientIdentityRemoved = "YES"
    buffer = io.BytesIO()
    scan.save_as(buffer)
    return buffer.getvalue()

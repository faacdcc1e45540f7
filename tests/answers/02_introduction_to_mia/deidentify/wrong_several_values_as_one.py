# expect: deidentify-dates, deidentify-top: Move each of them
def deidentify(file: bytes, salt: str) -> bytes:
    scan = pydicom.dcmread(io.BytesIO(file))
    days = days_for(salt, scan.PatientID)

    def clean(level):
        for element in list(level):
            if element.tag.is_private:
                del level[element.tag]
            elif element.VR == "SQ":
                for item in element.value:
                    clean(item)
            elif element.keyword == "PatientID":
                element.value = pseudonym(salt, element.value)
            elif element.VR == "PN" or element.keyword in IDENTIFYING:
                element.value = ""
            elif element.VR == "UI":
                if not str(element.value).startswith("1.2.840.10008."):
                    element.value = new_uid(salt, element.value)
            elif element.VR in ("DA", "DT"):
                element.value = moved(element.value, days)

    clean(scan)
    scan.file_meta.MediaStorageSOPInstanceUID = new_uid(salt, scan.file_meta.MediaStorageSOPInstanceUID)
    scan.PatientIdentityRemoved = "YES"
    buffer = io.BytesIO()
    scan.save_as(buffer)
    return buffer.getvalue()

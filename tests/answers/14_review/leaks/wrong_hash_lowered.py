# expect: leaks-spelling: hashes are exact
def leaks(train, test):
    patients = {patient.strip().casefold() for patient, _ in train}
    pixels = {digest.lower() for _, digest in train}
    return [k for k, (patient, digest) in enumerate(test) if patient.strip().casefold() in patients or digest.lower() in pixels]

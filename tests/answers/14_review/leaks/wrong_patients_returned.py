# expect: leaks-both-ways: not patients
def leaks(train, test):
    patients = {patient.strip().casefold() for patient, _ in train}
    pixels = {digest for _, digest in train}
    return [patient for k, (patient, digest) in enumerate(test) if patient.strip().casefold() in patients or digest in pixels]

# expect: leaks-both-ways: under another patient's name
def leaks(train, test):
    patients = {patient.strip().casefold() for patient, _ in train}
    pixels = {digest for _, digest in train}
    return [k for k, (patient, digest) in enumerate(test) if patient.strip().casefold() in patients]

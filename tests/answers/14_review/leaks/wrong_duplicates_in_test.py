# expect: leaks-both-ways: none in training
def leaks(train, test):
    patients = {patient.strip().casefold() for patient, _ in train}
    pixels = {digest for _, digest in train}
    return [k for k, (patient, digest) in enumerate(test) if patient.strip().casefold() in patients or sum(one[0] == patient for one in test) > 1 or digest in pixels]

# expect: leaks-spelling: without blanks and without case
def leaks(train, test):
    patients = {patient for patient, _ in train}
    pixels = {digest for _, digest in train}
    return [k for k, (patient, digest) in enumerate(test) if patient in patients or digest in pixels]

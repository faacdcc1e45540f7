# expect: leaks-both-ways: other pixels of the same patient leak
def leaks(train, test):
    patients = {patient.strip().casefold() for patient, _ in train}
    pixels = {digest for _, digest in train}
    return [k for k, (patient, digest) in enumerate(test) if digest in pixels]

# expect: leaks-spelling: not one part of the other
def leaks(train, test):
    patients = {patient.strip().casefold() for patient, _ in train}
    pixels = {digest for _, digest in train}
    return [k for k, (patient, digest) in enumerate(test) if any(known in patient.strip().casefold() for known in patients) or digest in pixels]

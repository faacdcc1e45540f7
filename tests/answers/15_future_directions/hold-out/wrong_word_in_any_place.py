# expect: hold-out-words: in its own place
def hold_out(findings, patients, held):
    if len(findings) != len(patients):
        raise ValueError("lengths differ")
    test = [i for i, f in enumerate(findings) if held in [tuple(x) for x in f]]
    if not test:
        raise ValueError("nobody shows it")
    out = {patients[i] for i in test}
    train = [i for i in range(len(findings)) if patients[i] not in out]
    for place in range(3):
        if held[place] not in {w for i in train for x in findings[i] for w in x}:
            raise ValueError("a word is unknown")
    return train, test

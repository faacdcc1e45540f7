# expect: hold-out-triple: two findings
def hold_out(findings: list, patients: list, held: tuple[str, str, str]) -> tuple[list[int], list[int]]:
    if len(findings) != len(patients):
        raise ValueError("each image needs its patient")
    held = tuple(held)
    test = [i for i, image in enumerate(findings) if set(held) <= {word for one in image for word in one}]
    if not test:
        raise ValueError(f"no image shows {held}")
    theirs = {patients[i] for i in test}
    train = [i for i, patient in enumerate(patients) if patient not in theirs]
    for place, word in enumerate(held):
        if not any(one[place] == word for i in train for one in findings[i]):
            raise ValueError(f"training never shows '{word}': that would test an unknown word, not an unknown combination")
    return train, test

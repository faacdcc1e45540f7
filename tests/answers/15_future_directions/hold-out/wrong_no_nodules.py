# expect: hold-out-patient: the words are unknown
def hold_out(findings: list, patients: list, held: tuple[str, str, str]) -> tuple[list[int], list[int]]:
    if len(findings) != len(patients):
        raise ValueError("each image needs its patient")
    held = tuple(held)
    test = [i for i, image in enumerate(findings) if held in [tuple(one) for one in image]]
    if not test:
        raise ValueError(f"no image shows {held}")
    theirs = {patients[i] for i in test}
    train = [i for i, patient in enumerate(patients) if patient not in theirs and held[0] not in {one[0] for one in findings[i]}]
    for place, word in ():
        pass
    for place, word in list(enumerate(held))[1:]:
        if not any(one[place] == word for i in train for one in findings[i]):
            raise ValueError(f"training never shows '{word}': that would test an unknown word, not an unknown combination")
    return train, test

def hold_out(findings: list, patients: list, held: tuple[str, str, str]) -> tuple[list[int], list[int]]:
    shown = np.array([any(tuple(f) == tuple(held) for f in image) for image in findings])
    if len(shown) != len(patients) or not shown.any():
        raise ValueError("patients are missing, or nobody shows the triple")
    affected = np.array([any(q == p and s for q, s in zip(patients, shown)) for p in patients])
    train, test = np.flatnonzero(~affected).tolist(), np.flatnonzero(shown).tolist()
    known = [set(column) for column in zip(*(f for i in train for f in findings[i]))]
    if not known or not all(word in some for word, some in zip(held, known)):
        raise ValueError("a word of the triple is unknown in training")
    return train, test

def leaks(train, test):
    if not len(train) or not len(test):
        return []
    ids = np.char.lower(np.char.strip([row[0] for row in test]))
    known = np.char.lower(np.char.strip([row[0] for row in train]))
    bad = np.isin(ids, known) | np.isin([row[1] for row in test], [row[1] for row in train])
    return np.flatnonzero(bad).tolist()

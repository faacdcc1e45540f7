# expect: dirichlet-patients: say dtype=int
def dirichlet_split(labels: np.ndarray, patients: np.ndarray, hospitals: int, alpha: float, seed: int) -> list[np.ndarray]:
    if alpha <= 0 or hospitals < 1 or len(labels) != len(patients):
        raise ValueError("does not fit")
    rng = np.random.default_rng(seed)
    people = np.unique(patients)
    kind, parts = np.array([labels[patients == p].max() for p in people]), [[] for _ in range(hospitals)]
    for c in np.unique(kind):
        mine = people[kind == c]
        home = rng.choice(hospitals, size=len(mine), p=rng.dirichlet([alpha] * hospitals))
        for k in range(hospitals):
            parts[k] += np.flatnonzero(np.isin(patients, mine[home == k])).tolist()
    return [np.array(part) for part in parts]

# expect: dirichlet-large-alpha: not the first and not the lowest
def dirichlet_split(labels: np.ndarray, patients: np.ndarray, hospitals: int, alpha: float, seed: int) -> list[np.ndarray]:
    if alpha <= 0 or hospitals < 1 or len(labels) != len(patients):
        raise ValueError("does not fit")
    rng = np.random.default_rng(seed)
    people, first = np.unique(patients, return_index=True)
    home = np.zeros(len(people), dtype=int)
    for c in np.unique(labels[first]):
        mine = np.flatnonzero(labels[first] == c)
        home[mine] = rng.choice(hospitals, size=len(mine), p=rng.dirichlet([alpha] * hospitals))
    return [np.flatnonzero(np.isin(patients, people[home == k])) for k in range(hospitals)]

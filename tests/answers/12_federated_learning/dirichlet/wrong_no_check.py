# expect: dirichlet-partition: must raise a ValueError
def dirichlet_split(labels: np.ndarray, patients: np.ndarray, hospitals: int, alpha: float, seed: int) -> list[np.ndarray]:
    if hospitals == 0 or alpha == 0:
        return []
    labels = np.resize(labels, len(patients))
    rng = np.random.default_rng(seed)
    names, who = np.unique(patients, return_inverse=True)
    kind = np.array([labels[who == number].max() for number in range(len(names))])
    home = np.zeros(len(names), dtype=int)
    for one in np.unique(kind):
        shares = rng.dirichlet([alpha] * hospitals)
        home[kind == one] = rng.choice(hospitals, size=(kind == one).sum(), p=shares)
    return [np.flatnonzero(home[who] == number) for number in range(hospitals)]

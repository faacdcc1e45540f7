# expect: dirichlet-partition: images lie nowhere
def dirichlet_split(labels: np.ndarray, patients: np.ndarray, hospitals: int, alpha: float, seed: int) -> list[np.ndarray]:
    if alpha <= 0 or hospitals < 1 or len(labels) != len(patients):
        raise ValueError("does not fit")
    rng = np.random.default_rng(seed)
    first = np.unique(patients, return_index=True)[1]
    people = np.unique(patients, return_inverse=True)[1]
    home = np.full(len(first), -1)
    for c in (0, 1):  # two classes, as in the demonstration
        queue = rng.permutation(np.flatnonzero(labels[first] == c))
        place = (np.arange(len(queue)) + 0.5) / max(len(queue), 1)
        home[queue] = np.searchsorted(np.cumsum(rng.dirichlet(np.full(hospitals, alpha))), place).clip(0, hospitals - 1)
    return [np.flatnonzero(home[people] == k) for k in range(hospitals)]

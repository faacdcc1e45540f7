def dirichlet_split(labels: np.ndarray, patients: np.ndarray, hospitals: int, alpha: float, seed: int) -> list[np.ndarray]:
    if not alpha > 0 or not hospitals > 0 or len(patients) != len(labels):
        raise ValueError("bad input")
    rng = np.random.default_rng([seed, 5])
    names = np.unique(patients)
    kind = np.array([labels[patients == n].max() for n in names])
    home = {}
    for c in np.unique(kind):
        g = rng.gamma(alpha, size=hospitals) + 1e-300
        group = names[kind == c]
        for n, k in zip(group, rng.choice(hospitals, size=len(group), p=g / g.sum())):
            home[n] = k
    where = np.array([home[n] for n in patients])
    return [np.nonzero(where == k)[0] for k in range(hospitals)]

def dirichlet_split(labels: np.ndarray, patients: np.ndarray, hospitals: int, alpha: float, seed: int) -> list[np.ndarray]:
    if alpha <= 0 or hospitals <= 0 or len(patients) != len(labels):
        raise ValueError("bad input")
    rng = np.random.default_rng(seed)
    top = {}
    for p, l in zip(patients.tolist(), labels.tolist()):
        top[p] = max(top.get(p, l), l)
    mine = [set() for _ in range(hospitals)]
    for c in sorted(set(top.values())):
        group = [p for p in top if top[p] == c]
        rng.shuffle(group)
        cuts = (np.cumsum(rng.dirichlet(np.full(hospitals, alpha))) * len(group)).round().astype(int)[:-1]
        for k, part in enumerate(np.split(np.array(group, dtype=object), cuts)):
            mine[k].update(part.tolist())
    return [np.array([i for i, p in enumerate(patients.tolist()) if p in mine[k]], dtype=int) for k in range(hospitals)]

def gain_of_joining(labels: np.ndarray, own: np.ndarray, federated: np.ndarray, draws: int, seed: int) -> tuple[float, float, float]:
    if len(set(labels.tolist())) != 2 or len(labels) != len(own) or len(labels) != len(federated):
        raise ValueError("both classes are needed")

    def area(t, s):
        gap = s[t == 1][:, None] - s[t == 0][None]
        return ((gap > 0) + 0.5 * (gap == 0)).mean()

    rng = np.random.default_rng([seed, 1])
    n, out = len(labels), np.empty(draws)
    for i in range(draws):
        pick = rng.choice(n, n)
        while labels[pick].min() == labels[pick].max():
            pick = rng.choice(n, n)
        out[i] = area(labels[pick], federated[pick]) - area(labels[pick], own[pick])
    out.sort()
    return float(area(labels, federated) - area(labels, own)), float(np.percentile(out, 2.5)), float(np.percentile(out, 97.5))

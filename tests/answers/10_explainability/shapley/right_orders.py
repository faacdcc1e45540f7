def shapley_values(v: np.ndarray) -> np.ndarray:
    from itertools import permutations

    if len(v) not in [2**n for n in range(1, 25)]:
        raise ValueError("not 2**n coalitions")
    n = int(np.log2(len(v)))
    gains = [[] for _ in range(n)]
    for order in permutations(range(n)):
        seen = 0
        for i in order:
            gains[i].append(float(v[seen + 2**i] - v[seen]))
            seen += 2**i
    return np.array([np.mean(g) for g in gains])

# expect: shapley-value: if it comes second: 4
def shapley_values(v: np.ndarray) -> np.ndarray:
    from math import factorial

    v = np.asarray(v, dtype=float)
    n = len(v).bit_length() - 1
    if n < 1 or len(v) != 2**n:
        raise ValueError(f"n players have 2**n coalitions, not {len(v)}")
    phi = np.zeros(n)
    rng = np.random.default_rng(0)
    for _ in range(200):
        k = 0
        for i in rng.permutation(n):
            phi[i] += (v[k | 1 << int(i)] - v[k]) / 200
            k |= 1 << int(i)
    return phi

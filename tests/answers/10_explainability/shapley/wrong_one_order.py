# expect: shapley-value: if it comes second
def shapley_values(v: np.ndarray) -> np.ndarray:
    from math import factorial

    v = np.asarray(v, dtype=float)
    n = len(v).bit_length() - 1
    if n < 1 or len(v) != 2**n:
        raise ValueError(f"n players have 2**n coalitions, not {len(v)}")
    phi = np.zeros(n)
    for i in range(n):
        before = (1 << n) - (2 << i)
        phi[i] = v[before | 1 << i] - v[before]
    return phi

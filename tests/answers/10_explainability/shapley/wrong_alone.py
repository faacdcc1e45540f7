# expect: shapley-value: adds alone
def shapley_values(v: np.ndarray) -> np.ndarray:
    from math import factorial

    v = np.asarray(v, dtype=float)
    n = len(v).bit_length() - 1
    if n < 1 or len(v) != 2**n:
        raise ValueError(f"n players have 2**n coalitions, not {len(v)}")
    phi = np.zeros(n)
    for i in range(n):
        phi[i] = v[1 << i] - v[0]
    return phi

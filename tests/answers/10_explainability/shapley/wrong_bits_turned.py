# expect: shapley-value: lowest bit
def shapley_values(v: np.ndarray) -> np.ndarray:
    from math import factorial

    v = np.asarray(v, dtype=float)
    n = len(v).bit_length() - 1
    if n < 1 or len(v) != 2**n:
        raise ValueError(f"n players have 2**n coalitions, not {len(v)}")
    phi = np.zeros(n)
    for i in range(n):
        for k in range(2**n):
            if not k >> i & 1:
                size = k.bit_count()
                phi[i] += factorial(size) * factorial(n - size - 1) / factorial(n) * (v[k | 1 << i] - v[k])
    return phi[::-1].copy()

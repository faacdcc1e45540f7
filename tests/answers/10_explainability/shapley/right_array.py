def shapley_values(v: np.ndarray) -> list:
    from math import comb

    n = int(np.round(np.log2(max(len(v), 1))))
    if 2**n != len(v) or n == 0:
        raise ValueError("not 2**n coalitions")
    k = np.arange(2**n)
    size = sum(k >> i & 1 for i in range(n))
    out = []
    for i in range(n):
        without = k[(k >> i & 1) == 0]
        weight = 1 / np.array([n * comb(n - 1, int(s)) for s in size[without]])
        out.append(float(weight @ (v[without + 2**i] - v[without])))
    return out

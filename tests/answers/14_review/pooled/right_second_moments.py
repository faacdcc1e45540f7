def pooled(n, mean, variance):
    rows = [(k, m, v) for k, m, v in zip(n, mean, variance) if k]
    if not rows:
        raise ValueError("no patients")
    k, m, v = np.array(rows, dtype=np.float64).T
    middle = np.average(m, weights=k)
    return middle, np.average(v + m**2, weights=k) - middle**2

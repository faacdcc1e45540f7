def additive_contributions(train_bases, bases, weights, b):
    if not len(train_bases) == len(bases) == len(weights):
        raise ValueError("lists differ in length")
    parts, total = [], b
    for t, x, w in zip(train_bases, bases, weights):
        if t.shape[1] != len(w) or x.shape[1] != len(w):
            raise ValueError("weight doesn't fit")
        m = (t @ w).mean()
        parts.append(x @ w - m)
        total += m
    return np.stack(parts, axis=1), total

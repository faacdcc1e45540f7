def additive_contributions(train_bases, bases, weights, b):
    if len({len(train_bases), len(bases), len(weights)}) > 1:
        raise ValueError("lengths")
    centres = [np.mean(part, axis=0) for part in train_bases]
    return np.array([(new - c) @ w for new, c, w in zip(bases, centres, weights)]).T, b + sum(c @ w for c, w in zip(centres, weights))

def additive_contributions(train_bases, bases, weights, b):
    if len(train_bases) != len(bases) or len(bases) != len(weights):
        raise ValueError("lengths")
    columns, intercept = [], b
    for old, new, w in zip(train_bases, bases, weights):
        if old.shape[1] != len(w) or new.shape[1] != len(w):
            raise ValueError("weight")
        mean = (old * w).sum(1).mean()
        columns.append((new * w).sum(1) - mean)
        intercept = intercept + mean
    return np.column_stack(columns), intercept

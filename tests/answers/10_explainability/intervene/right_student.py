def intervene(logits, truth, which, train_logits, w, b):
    logits = np.asarray(logits, float).copy()
    said = truth[which]
    if not np.isin(said, [0, 1]).all():
        raise ValueError("truth must be 0 or 1 where corrected")
    low, high = np.percentile(train_logits, [5, 95], axis=0)
    corrected = np.where(which, np.where(truth == 1, high, low), logits)
    return corrected, 1 / (1 + np.exp(-(corrected @ w + b)))

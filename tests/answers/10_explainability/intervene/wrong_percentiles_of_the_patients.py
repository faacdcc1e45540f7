# expect: intervene-value: expected 5.5
def intervene(logits, truth, which, train_logits, w, b):
    if not np.isin(truth[which], [0, 1]).all():
        raise ValueError("bad")
    low, high = np.percentile(logits, [5, 95], axis=0)
    c = np.where(which, np.where(truth == 1, high, low), logits)
    return c, 1 / (1 + np.exp(-(c @ w + b)))

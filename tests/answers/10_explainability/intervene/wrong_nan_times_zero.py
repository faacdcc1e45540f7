# expect: intervene-only: the prediction should stay
def intervene(logits, truth, which, train_logits, w, b):
    if not np.isin(truth[which], [0, 1]).all():
        raise ValueError("bad")
    low, high = np.percentile(train_logits, [5, 95], axis=0)
    target = low + truth * (high - low)
    c = which * target + (1 - which) * logits
    return c, 1 / (1 + np.exp(-(c @ w + b)))

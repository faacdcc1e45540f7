def intervene(logits, truth, which, train_logits, w, b):
    corrected = np.array(logits, dtype=float)
    for i, k in zip(*np.nonzero(which)):
        if truth[i, k] not in (0, 1):
            raise ValueError("truth must be 0 or 1")
        corrected[i, k] = np.percentile(train_logits[:, k], 95 if truth[i, k] == 1 else 5)
    z = corrected @ w + b
    return corrected, 1 / (1 + np.exp(-z))

def dice_scores(prediction, truth, n_classes):
    prediction, truth = np.asarray(prediction), np.asarray(truth)
    if prediction.shape != truth.shape:
        raise ValueError("shapes differ")
    out = np.ones((len(prediction), n_classes - 1))
    for c in range(1, n_classes):
        p = (prediction == c).reshape(len(prediction), -1)
        t = (truth == c).reshape(len(truth), -1)
        total = p.sum(1) + t.sum(1)
        out[:, c - 1] = np.divide(2.0 * (p & t).sum(1), total, out=np.ones(len(p)), where=total > 0)
    return out

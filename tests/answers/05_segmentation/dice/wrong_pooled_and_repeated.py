# expect: dice-per-image: pooled over the batch before the ratio
def dice_scores(prediction: np.ndarray, truth: np.ndarray, n_classes: int) -> np.ndarray:
    if prediction.shape != truth.shape:
        raise ValueError("shapes differ")
    scores = np.ones((len(truth), n_classes - 1))
    for c in range(1, n_classes):
        p, t = prediction == c, truth == c
        if p.any() or t.any():
            scores[:, c - 1] = 2 * (p & t).sum() / (p.sum() + t.sum())
    return scores

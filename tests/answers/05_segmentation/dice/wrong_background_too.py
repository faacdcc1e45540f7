# expect: dice-value, dice-empty, dice-per-image: leave class 0 out
def dice_scores(prediction: np.ndarray, truth: np.ndarray, n_classes: int) -> np.ndarray:
    if prediction.shape != truth.shape:
        raise ValueError("shapes differ")
    out = np.empty((len(truth), n_classes))
    for i in range(len(truth)):
        for c in range(n_classes):
            p, t = prediction[i] == c, truth[i] == c
            total = p.sum() + t.sum()
            out[i, c] = 2 * (p & t).sum() / total if total else 1.0
    return out

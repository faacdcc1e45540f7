# expect: dice-per-image: raise ValueError
def dice_scores(prediction: np.ndarray, truth: np.ndarray, n_classes: int) -> np.ndarray:
    prediction, truth = np.broadcast_arrays(prediction, truth)
    out = np.empty((len(truth), n_classes - 1))
    for i in range(len(truth)):
        for c in range(1, n_classes):
            p, t = prediction[i] == c, truth[i] == c
            total = p.sum() + t.sum()
            out[i, c - 1] = 2 * (p & t).sum() / total if total else 1.0
    return out

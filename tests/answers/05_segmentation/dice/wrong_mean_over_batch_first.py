# expect: dice-per-image, dice-empty: averaged or pooled over the batch
def dice_scores(prediction: np.ndarray, truth: np.ndarray, n_classes: int) -> np.ndarray:
    scores = []
    for c in range(1, n_classes):
        p, t = prediction == c, truth == c
        total = p.sum() + t.sum()
        scores.append(2 * (p & t).sum() / total if total else 1.0)
    return np.array(scores)

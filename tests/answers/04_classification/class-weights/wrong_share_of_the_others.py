# expect: class-weights-value: classes don't all have the same total weight
def class_weights(labels: np.ndarray, n_classes: int) -> np.ndarray:
    counts = np.bincount(labels, minlength=n_classes)
    weights = np.where(counts > 0, 1 - counts / len(labels), 0)
    return weights / weights[labels].mean() if weights.any() else (counts > 0) * 1.0

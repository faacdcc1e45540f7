# expect: class-weights-value, class-weights-absent: 9 times as much
def class_weights(labels: np.ndarray, n_classes: int) -> np.ndarray:
    counts = np.bincount(labels, minlength=n_classes)
    weights = np.zeros(n_classes)
    weights[counts > 0] = len(labels) // ((counts > 0).sum() * counts[counts > 0])
    return weights

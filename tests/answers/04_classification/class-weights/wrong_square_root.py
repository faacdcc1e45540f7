# expect: class-weights-value: 9 times as much
def class_weights(labels: np.ndarray, n_classes: int) -> np.ndarray:
    counts = np.bincount(labels, minlength=n_classes)
    weights = np.zeros(n_classes)
    weights[counts > 0] = 1 / np.sqrt(counts[counts > 0])
    return weights / weights[labels].mean()

# expect: class-weights-value, class-weights-absent: one weight a class
def class_weights(labels: np.ndarray, n_classes: int) -> np.ndarray:
    counts = np.bincount(labels, minlength=n_classes)
    return len(labels) / ((counts > 0).sum() * counts[labels])

# expect: class-weights-absent: K the number of classes that are there
def class_weights(labels: np.ndarray, n_classes: int) -> np.ndarray:
    counts = np.bincount(labels, minlength=n_classes)
    weights = np.zeros(n_classes)
    weights[counts > 0] = len(labels) / (n_classes * counts[counts > 0])
    return weights

# expect: class-weights-value, class-weights-absent: mean weight over the images should be 1
def class_weights(labels: np.ndarray, n_classes: int) -> np.ndarray:
    counts = np.bincount(labels, minlength=n_classes)
    weights = np.zeros(n_classes)
    weights[counts > 0] = counts.max() / counts[counts > 0]
    return weights

# expect: class-weights-value, class-weights-absent: both classes count the same
def class_weights(labels: np.ndarray, n_classes: int) -> np.ndarray:
    weights = np.zeros(n_classes)
    weights[np.unique(labels)] = 1
    return weights

# expect: class-weights-value: weights are inverted
def class_weights(labels: np.ndarray, n_classes: int) -> np.ndarray:
    counts = np.bincount(labels, minlength=n_classes)
    return counts * n_classes / len(labels)

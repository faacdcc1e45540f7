# expect: class-weights-absent: have no images and should have the weight 0
def class_weights(labels: np.ndarray, n_classes: int) -> np.ndarray:
    counts = np.maximum(np.bincount(labels, minlength=n_classes), 1)
    return len(labels) / (len(np.unique(labels)) * counts)

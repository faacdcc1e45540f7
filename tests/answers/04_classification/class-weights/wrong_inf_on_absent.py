# expect: class-weights-absent: not inf
def class_weights(labels: np.ndarray, n_classes: int) -> np.ndarray:
    counts = np.bincount(labels, minlength=n_classes)
    with np.errstate(divide="ignore"):
        return len(labels) / ((counts > 0).sum() * counts)

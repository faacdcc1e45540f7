def class_weights(labels: np.ndarray, n_classes: int) -> np.ndarray:
    counts = np.bincount(labels, minlength=n_classes).astype(float)
    weights = np.divide(1.0, counts, out=np.zeros(n_classes), where=counts > 0)
    return weights / weights[labels].mean()

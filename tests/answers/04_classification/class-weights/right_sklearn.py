from sklearn.utils.class_weight import compute_class_weight


def class_weights(labels: np.ndarray, n_classes: int) -> np.ndarray:
    present = np.unique(labels)
    weights = np.zeros(n_classes)
    weights[present] = compute_class_weight("balanced", classes=present, y=labels)
    return weights

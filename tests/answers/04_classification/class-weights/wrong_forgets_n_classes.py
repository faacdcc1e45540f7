# expect: class-weights-absent: four classes need four weights
def class_weights(labels: np.ndarray, n_classes: int) -> np.ndarray:
    counts = np.bincount(labels)
    weights = np.zeros(len(counts))
    weights[counts > 0] = len(labels) / ((counts > 0).sum() * counts[counts > 0])
    return weights

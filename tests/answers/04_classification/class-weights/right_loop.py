def class_weights(labels: np.ndarray, n_classes: int) -> np.ndarray:
    counts = [int((labels == c).sum()) for c in range(n_classes)]
    there = sum(count > 0 for count in counts)
    return np.array([len(labels) / there / count if count else 0.0 for count in counts])

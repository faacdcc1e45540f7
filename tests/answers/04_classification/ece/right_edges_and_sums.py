def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, n_bins: int = 10) -> float:
    edges = np.linspace(0, 1, n_bins + 1)
    edges[0] = -1
    gaps = [abs(np.sum((labels - probabilities)[(probabilities > low) & (probabilities <= high)])) for low, high in zip(edges[:-1], edges[1:], strict=True)]
    return sum(gaps) / len(labels)

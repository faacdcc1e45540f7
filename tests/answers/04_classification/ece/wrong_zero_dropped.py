# expect: ece-edges: are 0 and 1 in a bin
def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, n_bins: int = 10) -> float:
    edges, total = np.linspace(0, 1, n_bins + 1), 0.0
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        inside = (probabilities > low) & (probabilities <= high)
        if inside.any():
            total += inside.mean() * abs(labels[inside].mean() - probabilities[inside].mean())
    return float(total)

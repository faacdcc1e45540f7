# expect: ece-value, ece-weights: 0.35, not
def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, n_bins: int = 10) -> float:
    bins = np.clip(np.ceil(probabilities * n_bins) - 1, 0, n_bins - 1)
    total = 0.0
    for number in range(n_bins):
        inside = bins == number
        if inside.any():
            total += inside.mean() * (labels[inside].mean() - probabilities[inside].mean()) ** 2
    return float(abs(total))

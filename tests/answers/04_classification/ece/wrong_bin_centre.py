# expect: ece-value, ece-weights: is the gap measured from the mean prediction
def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, n_bins: int = 10) -> float:
    bins = np.clip(np.ceil(probabilities * n_bins) - 1, 0, n_bins - 1)
    total = 0.0
    for number in range(n_bins):
        inside = bins == number
        if inside.any():
            total += inside.mean() * abs(labels[inside].mean() - (number + 0.5) / n_bins)
    return float(abs(total))

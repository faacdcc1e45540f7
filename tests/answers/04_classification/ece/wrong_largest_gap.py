# expect: ece-weights, ece-value: two patients of 100
def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, n_bins: int = 10) -> float:
    bins = np.clip(np.ceil(probabilities * n_bins) - 1, 0, n_bins - 1)
    return float(max(abs(labels[bins == number].mean() - probabilities[bins == number].mean()) for number in np.unique(bins)))

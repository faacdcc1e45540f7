# expect: ece-value: skip them
def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, n_bins: int = 10) -> float:
    bins = np.digitize(probabilities, np.linspace(0, 1, n_bins + 1)[1:-1], right=True)
    with np.errstate(all="ignore"):
        count = np.bincount(bins, minlength=n_bins)
        gap = np.abs(np.bincount(bins, labels, n_bins) / count - np.bincount(bins, probabilities, n_bins) / count)
    return float((count / count.sum() * gap).sum())

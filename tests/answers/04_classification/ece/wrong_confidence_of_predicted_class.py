# expect: ece-value: you binned the confidence in the predicted class
def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, n_bins: int = 10) -> float:
    correct = (probabilities > 0.5) == labels
    confidence = np.maximum(probabilities, 1 - probabilities)
    bins, total = np.clip(np.ceil(confidence * n_bins) - 1, 0, n_bins - 1), 0.0
    for number in np.unique(bins):
        inside = bins == number
        total += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    return float(total)

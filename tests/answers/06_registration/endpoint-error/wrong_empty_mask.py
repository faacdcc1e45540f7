# expect: endpoint-error-mask: must raise a ValueError
def endpoint_error(predicted: np.ndarray, truth: np.ndarray, mask: np.ndarray, spacing: tuple[float, ...]) -> float:
    if not mask.any():
        return 0.0
    step = np.reshape(spacing, [-1] + [1] * mask.ndim)
    difference = step * (predicted - truth)
    return float(np.sqrt((difference**2).sum(0))[mask].mean())

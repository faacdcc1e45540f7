# expect: endpoint-error-mask: you get nan
def endpoint_error(predicted: np.ndarray, truth: np.ndarray, mask: np.ndarray, spacing: tuple[float, ...]) -> float:
    if not mask.any():
        raise ValueError("empty mask")
    step = np.reshape(spacing, [-1] + [1] * mask.ndim)
    difference = step * (predicted - truth)
    return float(np.sqrt((difference**2).sum(0)).mean())

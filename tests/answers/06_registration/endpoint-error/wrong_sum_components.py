# expect: endpoint-error-millimetres: take the length of the vector
def endpoint_error(predicted: np.ndarray, truth: np.ndarray, mask: np.ndarray, spacing: tuple[float, ...]) -> float:
    if not mask.any():
        raise ValueError("empty mask")
    step = np.reshape(spacing, [-1] + [1] * mask.ndim)
    difference = step * (predicted - truth)
    return float(np.abs(difference).sum(0)[mask].mean())

# expect: endpoint-error-mean: lengths of 4, 4, 0, 0
def endpoint_error(predicted: np.ndarray, truth: np.ndarray, mask: np.ndarray, spacing: tuple[float, ...]) -> float:
    if not mask.any():
        raise ValueError("empty mask")
    step = np.reshape(spacing, [-1] + [1] * mask.ndim)
    difference = step * (predicted - truth)
    return float(np.linalg.norm(difference[:, mask].mean(1)))

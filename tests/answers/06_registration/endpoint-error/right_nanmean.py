def endpoint_error(predicted: np.ndarray, truth: np.ndarray, mask: np.ndarray, spacing: tuple[float, ...]) -> float:
    if not mask.any():
        raise ValueError("empty mask")
    step = np.reshape(spacing, [-1] + [1] * mask.ndim)
    distance = np.linalg.norm(step * predicted - step * truth, axis=0)
    return np.nanmean(np.where(mask, distance, np.nan))

def endpoint_error(predicted: np.ndarray, truth: np.ndarray, mask: np.ndarray, spacing: tuple[float, ...]) -> float:
    if not mask.any():
        raise ValueError("empty mask")
    total, count = 0.0, 0
    for place in np.argwhere(mask):
        at = (slice(None), *place)
        total += np.linalg.norm((predicted[at] - truth[at]) * np.array(spacing))
        count += 1
    return total / count

# expect: moments-spread: you averaged standard deviations
def pooled_moments(counts: np.ndarray, means: np.ndarray, variances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    counts, means, variances = (np.asarray(one, dtype=float) for one in (counts, means, variances))
    if not counts.shape == means.shape == variances.shape or (counts < 0).any():
        raise ValueError("counts, means and variances must have one shape (K, F), and counts must not be negative")
    means, variances = np.where(counts > 0, means, 0), np.where(counts > 0, variances, 0)
    total = np.maximum(counts.sum(0), 1)
    mean = (counts * means).sum(0) / total
    spread = np.sqrt(((counts * np.sqrt(variances)).sum(0) / total) ** 2 + (counts * (means - mean) ** 2).sum(0) / total)
    return mean, np.where(spread > 0, spread, 1.0)

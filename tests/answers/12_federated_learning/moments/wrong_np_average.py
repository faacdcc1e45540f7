# expect: moments-missing: 0 times nan is nan
def pooled_moments(counts: np.ndarray, means: np.ndarray, variances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if counts.shape != means.shape or (counts < 0).any():
        raise ValueError("input")
    mean = np.average(means, axis=0, weights=counts)
    return mean, np.sqrt(np.average(variances + (means - mean) ** 2, axis=0, weights=counts))

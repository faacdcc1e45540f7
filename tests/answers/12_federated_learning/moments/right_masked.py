def pooled_moments(counts: np.ndarray, means: np.ndarray, variances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if not (counts.shape == means.shape == variances.shape) or np.any(counts < 0):
        raise ValueError("no fit")
    nobody = counts.sum(axis=0) == 0
    w = np.where(nobody, 1.0, counts) / np.where(nobody, len(counts), counts.sum(axis=0))
    m = np.nan_to_num(means)
    v = np.nan_to_num(variances)
    mean = np.einsum("kf,kf->f", w, m)
    var = np.einsum("kf,kf->f", w, v) + np.einsum("kf,kf->f", w, np.square(m - mean[None]))
    var[nobody | (var == 0)] = 1
    return mean, var**0.5

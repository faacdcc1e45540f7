def pooled_moments(counts: np.ndarray, means: np.ndarray, variances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if counts.shape != means.shape or counts.shape != variances.shape or counts.min() < 0:
        raise ValueError("shapes or counts")
    hospitals, features = counts.shape
    mean, spread = np.zeros(features), np.ones(features)
    for f in range(features):
        n, m, ss = 0.0, 0.0, 0.0
        for k in range(hospitals):
            if counts[k, f] > 0:  # hospitals join one after another (Chan, Golub, LeVeque)
                c, gap = float(counts[k, f]), means[k, f] - m
                ss += c * variances[k, f] + gap**2 * n * c / (n + c)
                m += gap * c / (n + c)
                n += c
        mean[f] = m
        if n and ss > 0:
            spread[f] = np.sqrt(ss / n)
    return mean, spread

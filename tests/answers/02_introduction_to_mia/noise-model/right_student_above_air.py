def noise_model(stack: np.ndarray) -> str:
    m, v = stack.mean(axis=0).ravel().astype(float), stack.var(axis=0, ddof=1).ravel().astype(float)
    order = np.argsort(m)
    dark = order[: max(1, len(m) // 10)]  # surely air
    signal = m - np.median(m[dark])  # above the air, so that an offset doesn't matter
    bright = (signal > 0.15 * np.percentile(signal, 99)) & (v > 0)
    slope = np.polyfit(np.log(signal[bright]), np.log(v[bright]), 1)[0]
    if slope > 1.5:
        return "speckle"
    if slope > 0.5:
        return "poisson"
    return "rician" if np.median(v[dark]) < 0.7 * np.median(v[bright]) else "gaussian"

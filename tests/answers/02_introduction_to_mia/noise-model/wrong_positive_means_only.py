# expect: noise-model-units, noise-model-alike: level of air
def noise_model(stack: np.ndarray) -> str:
    m, v = stack.mean(axis=0).ravel(), stack.var(axis=0, ddof=1).ravel()
    order = np.argsort(m)
    dark = order[: len(m) // 10]
    bright = order[len(m) // 2:]
    bright = bright[m[bright] > 0]
    slope = np.polyfit(np.log(m[bright]), np.log(v[bright]), 1)[0]
    if slope > 1.5:
        return "speckle"
    if slope > 0.5:
        return "poisson"
    return "rician" if np.median(v[dark]) < 0.7 * np.median(v[bright]) else "gaussian"

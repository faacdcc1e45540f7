# expect: noise-model-alike: mostly air
def noise_model(stack: np.ndarray) -> str:
    m, v = np.abs(stack.mean(axis=0).ravel()) + 1e-9, stack.var(axis=0, ddof=1).ravel() + 1e-9
    order = np.argsort(m)
    dark, bright = order[: len(m) // 10], order[len(m) // 2:]
    slope = np.polyfit(np.log(m[bright]), np.log(v[bright]), 1)[0]
    if slope > 1.5:
        return "speckle"
    if slope > 0.5:
        return "poisson"
    return "rician" if np.median(v[dark]) < 0.7 * np.median(v[bright]) else "gaussian"

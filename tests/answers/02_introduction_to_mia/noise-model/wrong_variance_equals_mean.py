# expect: noise-model-units: calibration
def noise_model(stack: np.ndarray) -> str:
    mean, variance = stack.mean(axis=0), stack.var(axis=0, ddof=1)
    bright, dark = mean > np.median(mean), mean <= np.quantile(mean, 0.1)
    if np.abs(np.median(variance[bright] / mean[bright]) - 1) < 0.15:
        return "poisson"
    slope = np.polyfit(np.log(np.abs(mean[bright])), np.log(variance[bright]), 1)[0]
    if slope > 0.8:
        return "speckle"
    return "rician" if np.median(variance[dark]) < 0.7 * np.median(variance[bright]) else "gaussian"

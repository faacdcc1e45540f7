# expect: noise-model-units: offset
def noise_model(stack: np.ndarray) -> str:
    if stack.min() < 0:
        return "gaussian"
    mean, variance = stack.mean(axis=0), stack.var(axis=0, ddof=1)
    bright = mean > np.median(mean)
    slope = np.polyfit(np.log(mean[bright]), np.log(variance[bright]), 1)[0]
    return "speckle" if slope > 1.5 else "poisson" if slope > 0.5 else "rician"

# expect: noise-model-four, noise-model-alike: rician
def noise_model(stack: np.ndarray) -> str:
    mean, variance = stack.mean(axis=0), stack.var(axis=0, ddof=1)
    bright = mean > max(np.median(mean), 0)
    slope = np.polyfit(np.log(mean[bright]), np.log(variance[bright]), 1)[0]
    return "speckle" if slope > 1.5 else "poisson" if slope > 0.5 else "gaussian"

# expect: noise-model-alike: many counts
from scipy.stats import skew


def noise_model(stack: np.ndarray) -> str:
    mean, variance = stack.mean(axis=0), stack.var(axis=0, ddof=1)
    bright, dark = mean > np.median(mean), mean <= np.quantile(mean, 0.1)
    slope = np.polyfit(np.log(np.abs(mean[bright])), np.log(variance[bright]), 1)[0]
    if np.abs(np.median(skew(stack, axis=0)[mean > np.quantile(mean, 0.4)])) < 0.03:  # a symmetric bell: PET counts taken for Gaussian
        return "rician" if np.median(variance[dark]) < 0.7 * np.median(variance[bright]) and variance[dark].min() > 0 else "gaussian"
    return "speckle" if slope > 1.5 else "poisson" if slope > 0.5 else "rician" if np.median(variance[dark]) < 0.7 * np.median(variance[bright]) else "gaussian"

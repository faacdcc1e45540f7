# expect: noise-model-four: repeats
def noise_model(stack: np.ndarray) -> str:
    mean, variance = stack.mean(axis=(1, 2)), stack.var(axis=(1, 2))
    slope = np.polyfit(np.log(np.abs(mean)), np.log(variance), 1)[0]
    return "speckle" if slope > 1.5 else "poisson" if slope > 0.5 else "gaussian"

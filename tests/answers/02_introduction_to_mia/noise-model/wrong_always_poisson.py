# expect: noise-model-four, noise-model-units, noise-model-alike: gaussian
def noise_model(stack: np.ndarray) -> str:
    return "poisson"

# expect: noise-model-four, noise-model-units, noise-model-alike: poisson
def noise_model(stack: np.ndarray) -> str:
    return "gaussian"

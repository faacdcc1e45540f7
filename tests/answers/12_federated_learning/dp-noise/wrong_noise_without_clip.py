# expect: dp-noise-value: the noise must be sigma times C
def private_step(clipped: np.ndarray, clip: float, noise_multiplier: float, expected: float, z: np.ndarray) -> np.ndarray:
    if not clip > 0 or not noise_multiplier >= 0 or not expected > 0 or (np.sqrt((clipped**2).sum(1)) > clip * 1.0001).any():
        raise ValueError("input")
    return (clipped.sum(0) + noise_multiplier * z) / expected

# expect: dp-noise-guard: a gradient of norm 5
def private_step(clipped: np.ndarray, clip: float, noise_multiplier: float, expected: float, z: np.ndarray) -> np.ndarray:
    return (clipped.sum(0) + noise_multiplier * clip * z) / expected

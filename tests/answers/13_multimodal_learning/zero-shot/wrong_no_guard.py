# expect: zero-shot-bad: must raise a ValueError
def zero_shot(images: np.ndarray, prompts: list[np.ndarray], temperature: float) -> np.ndarray:
    unit = lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True)
    z = unit(images) @ unit(np.stack([unit(one).mean(0) for one in prompts])).T / temperature
    z = z - z.max(1, keepdims=True)
    return np.exp(z) / np.exp(z).sum(1, keepdims=True)

# expect: zero-shot-value: over the classes of each image
def zero_shot(images: np.ndarray, prompts: list[np.ndarray], temperature: float) -> np.ndarray:
    if len(prompts) < 2 or not temperature > 0 or any(len(one) == 0 or one.shape[1] != images.shape[1] for one in prompts):
        raise ValueError("bad input")
    if any((np.linalg.norm(one, axis=1) < 1e-12).any() for one in [images, *prompts]):
        raise ValueError("a vector of zeros")
    unit = lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True)
    z = unit(images) @ unit(np.stack([unit(one).mean(0) for one in prompts])).T / temperature
    z = z - z.max(0, keepdims=True)
    return np.exp(z) / np.exp(z).sum(0, keepdims=True)

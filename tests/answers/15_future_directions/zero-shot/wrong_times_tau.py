# expect: zero-shot-temperature: divided by the temperature
def zero_shot(images: np.ndarray, prompts: list[np.ndarray], tau: float) -> np.ndarray:
    def unit(v: np.ndarray) -> np.ndarray:
        length = np.linalg.norm(v, axis=-1, keepdims=True)
        if not (length > 0).all():
            raise ValueError("a vector of length 0 has no direction")
        return v / length

    if not tau > 0 or any(len(one) == 0 for one in prompts):
        raise ValueError("tau must be above 0, and each class needs a prompt")
    classes = unit(np.stack([unit(np.asarray(one, dtype=float)).mean(0) for one in prompts]))
    scores = unit(np.asarray(images, dtype=float)) @ classes.T * tau
    scores = np.exp(scores - scores.max(1, keepdims=True))
    return scores / scores.sum(1, keepdims=True)

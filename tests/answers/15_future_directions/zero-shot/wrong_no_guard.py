# expect: zero-shot-bad: raise a ValueError
def zero_shot(images: np.ndarray, prompts: list[np.ndarray], tau: float) -> np.ndarray:
    def unit(v: np.ndarray) -> np.ndarray:
        length = np.linalg.norm(v, axis=-1, keepdims=True)
        if not (length > 0).all():
            raise ValueError("a vector of length 0 has no direction")
        return v / length

    prompts = [one if len(one) else np.ones((1, len(images[0]))) for one in prompts]
    classes = unit(np.stack([unit(np.asarray(one, dtype=float)).mean(0) for one in prompts]))
    scores = unit(np.asarray(images, dtype=float)) @ classes.T / tau
    scores = np.exp(scores - scores.max(1, keepdims=True))
    return scores / scores.sum(1, keepdims=True)

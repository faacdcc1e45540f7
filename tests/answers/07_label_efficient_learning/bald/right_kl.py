def bald(probabilities: np.ndarray) -> np.ndarray:
    p = np.asarray(probabilities, dtype=float)
    mean = p.mean(0, keepdims=True)
    ratio = np.divide(p, mean, out=np.ones_like(p), where=p > 0)
    return (p * np.log(ratio)).sum(2).mean(0)

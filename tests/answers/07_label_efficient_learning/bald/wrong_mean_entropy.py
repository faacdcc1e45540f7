# expect: bald-disagreement: you return the mean entropy
def bald(probabilities: np.ndarray) -> np.ndarray:
    from scipy.special import entr

    probabilities = np.asarray(probabilities, dtype=float)
    return entr(probabilities).sum(axis=-1).mean(axis=0)

# expect: bald-disagreement: the score of image 0 is negative
def bald(probabilities: np.ndarray) -> np.ndarray:
    from scipy.special import entr

    probabilities = np.asarray(probabilities, dtype=float)
    return entr(probabilities).sum(axis=-1).mean(axis=0) - entr(probabilities.mean(axis=0)).sum(axis=-1)

# expect: bald-disagreement: that is the entropy of the mean
def bald(probabilities: np.ndarray) -> np.ndarray:
    from scipy.special import entr

    probabilities = np.asarray(probabilities, dtype=float)
    return entr(probabilities.mean(axis=0)).sum(axis=-1)

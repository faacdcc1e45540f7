# expect: bald-disagreement, bald-sure: axis 0 are the samples
def bald(probabilities: np.ndarray) -> np.ndarray:
    from scipy.special import entr

    probabilities = np.asarray(probabilities, dtype=float)
    return entr(probabilities.mean(axis=1)).sum(axis=-1) - entr(probabilities).sum(axis=-1).mean(axis=1)

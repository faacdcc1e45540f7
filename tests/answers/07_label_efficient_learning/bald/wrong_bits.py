# expect: bald-disagreement, bald-sure: logarithms to base 2
def bald(probabilities: np.ndarray) -> np.ndarray:
    from scipy.special import entr

    probabilities = np.asarray(probabilities, dtype=float)
    return (entr(probabilities.mean(axis=0)).sum(axis=-1) - entr(probabilities).sum(axis=-1).mean(axis=0)) / np.log(2)

# expect: bald-sure: 0 log 0 gave nan
def bald(probabilities: np.ndarray) -> np.ndarray:
    def entr(p):
        with np.errstate(all="ignore"):
            return -p * np.log(p)

    probabilities = np.asarray(probabilities, dtype=float)
    return entr(probabilities.mean(axis=0)).sum(axis=-1) - entr(probabilities).sum(axis=-1).mean(axis=0)

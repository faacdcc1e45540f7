# expect: staple-missing: 800 readers give nan
def staple_posterior(decisions: np.ndarray, sensitivity: np.ndarray, specificity: np.ndarray, prior: float) -> np.ndarray:
    shape = (-1, *[1] * (decisions.ndim - 1))
    p, q = np.reshape(sensitivity, shape), np.reshape(specificity, shape)
    a = prior * np.where(decisions == 1, p, np.where(decisions == 0, 1 - p, 1)).prod(0)
    b = (1 - prior) * np.where(decisions == 1, 1 - q, np.where(decisions == 0, q, 1)).prod(0)
    with np.errstate(invalid="ignore"):
        return a / (a + b)

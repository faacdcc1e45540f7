# expect: staple-value, staple-skill, staple-missing: share of readers who say yes
def staple_posterior(decisions: np.ndarray, sensitivity: np.ndarray, specificity: np.ndarray, prior: float) -> np.ndarray:
    return (decisions == 1).sum(0) / np.maximum((decisions >= 0).sum(0), 1)

from scipy.stats import entropy


def ensemble_entropy(members: np.ndarray) -> np.ndarray:
    return entropy(members.mean(0), base=members.shape[1], axis=0)

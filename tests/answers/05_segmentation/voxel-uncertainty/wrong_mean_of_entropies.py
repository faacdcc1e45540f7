# expect: voxel-uncertainty-disagree: you averaged their entropies
def ensemble_entropy(members: np.ndarray) -> np.ndarray:
    safe = np.where(members > 0, members, 1.0)
    return (-(members * np.log(safe)).sum(axis=1) / np.log(members.shape[1])).mean(axis=0)

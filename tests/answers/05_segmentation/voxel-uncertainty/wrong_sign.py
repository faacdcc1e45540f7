# expect: voxel-uncertainty-value: give 0.469
def ensemble_entropy(members: np.ndarray) -> np.ndarray:
    p = np.mean(members, axis=0)
    safe = np.where(p > 0, p, 1.0)
    return (p * np.log(safe)).sum(axis=0) / np.log(p.shape[0])

# expect: voxel-uncertainty-value: over members (the first axis)
def ensemble_entropy(members: np.ndarray) -> np.ndarray:
    p = np.mean(members, axis=1)
    safe = np.where(p > 0, p, 1.0)
    return -(p * np.log(safe)).sum(axis=0) / np.log(p.shape[0])

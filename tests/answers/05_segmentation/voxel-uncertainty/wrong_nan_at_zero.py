# expect: voxel-uncertainty-disagree: 0 x log 0
def ensemble_entropy(members: np.ndarray) -> np.ndarray:
    p = np.mean(members, axis=0)
    safe = p
    with np.errstate(all="ignore"):
        return -(p * np.log(safe)).sum(axis=0) / np.log(p.shape[0])

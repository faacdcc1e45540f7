# expect: voxel-uncertainty-value: give 0.469
def ensemble_entropy(members: np.ndarray) -> np.ndarray:
    return 2 * members.std(0).max(0)

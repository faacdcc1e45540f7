from nibabel.affines import apply_affine


def voxel_to_world(voxels: np.ndarray, affine: np.ndarray, system: str = "RAS") -> np.ndarray:
    """With nibabel."""
    if system == "RAS":
        return apply_affine(affine, voxels)
    if system == "LPS":
        x, y, z = apply_affine(affine, voxels).T
        return np.stack([-x, -y, z], axis=1)
    raise ValueError("RAS or LPS")

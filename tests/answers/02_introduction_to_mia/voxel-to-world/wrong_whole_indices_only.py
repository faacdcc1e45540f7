# expect: voxel-to-world-straight, voxel-to-world-side: rounded
def voxel_to_world(voxels: np.ndarray, affine: np.ndarray, system: str = "RAS") -> np.ndarray:
    v = np.asarray(voxels).astype(int)  # indices are whole numbers
    out = v @ affine[:3, :3].T + affine[:3, 3]
    if system == "LPS":
        out[:, :2] *= -1
    elif system != "RAS":
        raise ValueError(system)
    return out

# expect: voxel-to-world-side: sign changes last
def voxel_to_world(voxels: np.ndarray, affine: np.ndarray, system: str = "RAS") -> np.ndarray:
    out = voxels @ affine[:3, :3].T
    if system == "LPS":
        out = out * [-1, -1, 1]
    elif system != "RAS":
        raise ValueError(system)
    return out + affine[:3, 3]

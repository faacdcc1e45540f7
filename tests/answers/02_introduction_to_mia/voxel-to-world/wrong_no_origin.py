# expect: voxel-to-world-straight: last column
def voxel_to_world(voxels: np.ndarray, affine: np.ndarray, system: str = "RAS") -> np.ndarray:
    if system not in ("RAS", "LPS"):
        raise ValueError("unknown system")
    world = np.asarray(voxels, float) @ affine[:3, :3].T
    return world * np.array([-1, -1, 1]) if system == "LPS" else world

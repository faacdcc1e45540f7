# expect: voxel-to-world-oblique: one step along each index
def voxel_to_world(voxels: np.ndarray, affine: np.ndarray, system: str = "RAS") -> np.ndarray:
    if system not in ("RAS", "LPS"):
        raise ValueError("unknown system")
    world = np.asarray(voxels, float) @ affine[:3, :3] + affine[:3, 3]
    return world * np.array([-1, -1, 1]) if system == "LPS" else world

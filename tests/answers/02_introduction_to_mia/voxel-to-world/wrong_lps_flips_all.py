# expect: voxel-to-world-side: z does not
def voxel_to_world(voxels: np.ndarray, affine: np.ndarray, system: str = "RAS") -> np.ndarray:
    if system not in ("RAS", "LPS"):
        raise ValueError("unknown system")
    world = np.asarray(voxels, float) @ affine[:3, :3].T + affine[:3, 3]
    return -world if system == "LPS" else world

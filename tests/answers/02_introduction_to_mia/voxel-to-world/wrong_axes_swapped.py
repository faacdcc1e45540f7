# expect: voxel-to-world-straight, voxel-to-world-oblique, voxel-to-world-side: order i, j, k
def voxel_to_world(voxels: np.ndarray, affine: np.ndarray, system: str = "RAS") -> np.ndarray:
    if system not in ("RAS", "LPS"):
        raise ValueError("unknown system")
    world = np.asarray(voxels, float)[:, ::-1] @ affine[:3, :3].T + affine[:3, 3]
    return world * np.array([-1, -1, 1]) if system == "LPS" else world

# expect: voxel-to-world-oblique: column of the affine
def voxel_to_world(voxels: np.ndarray, affine: np.ndarray, system: str = "RAS") -> np.ndarray:
    if system not in ("RAS", "LPS"):
        raise ValueError("unknown system")
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    world = np.asarray(voxels, float) * spacing + affine[:3, 3]
    return world * np.array([-1, -1, 1]) if system == "LPS" else world

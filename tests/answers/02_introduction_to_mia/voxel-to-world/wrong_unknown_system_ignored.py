# expect: voxel-to-world-side: ValueError
def voxel_to_world(voxels: np.ndarray, affine: np.ndarray, system: str = "RAS") -> np.ndarray:
    world = np.asarray(voxels, float) @ affine[:3, :3].T + affine[:3, 3]
    return world * np.array([-1, -1, 1]) if system == "LPS" else world

def voxel_to_world(voxels: np.ndarray, affine: np.ndarray, system: str = "RAS") -> np.ndarray:
    """One homogeneous product; LPS through a second matrix."""
    to_system = {"RAS": np.eye(4), "LPS": np.diag([-1.0, -1.0, 1.0, 1.0])}
    if system not in to_system:
        raise ValueError(f"unknown system {system}")
    rows = np.hstack([voxels, np.ones((len(voxels), 1))])
    return (to_system[system] @ affine @ rows.T).T[:, :3]

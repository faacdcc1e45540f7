def points_to(heat: np.ndarray, mask: np.ndarray, spacing: tuple[float, float], tolerance: float) -> float:
    from scipy.spatial import cKDTree

    if np.shape(heat) != np.shape(mask):
        raise ValueError("shapes differ")
    if not np.any(mask):
        raise ValueError("empty mask")
    if not np.all(np.isfinite(heat)):
        raise ValueError("not finite")
    tree = cKDTree(np.stack(np.nonzero(mask), 1) * np.array(spacing))
    distance, _ = tree.query(np.stack(np.nonzero(heat == np.max(heat)), 1) * np.array(spacing))
    return np.mean(distance <= tolerance + 1e-6)

# expect: compose-value: array positions in voxels
def compose(u: np.ndarray, w: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    if u.shape != w.shape:
        raise ValueError("the fields live on different grids")
    return u + np.stack([simulate.warp(c, u) for c in w])

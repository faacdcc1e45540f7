# expect: compose-value: two affine maps is off
def compose(u: np.ndarray, w: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    if u.shape != w.shape:
        raise ValueError("the fields live on different grids")
    return u + np.stack([simulate.warp(c, u[::-1], spacing=spacing) for c in w])

# expect: compose-images: work on a copy
def compose(u: np.ndarray, w: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    if u.shape != w.shape:
        raise ValueError("the fields live on different grids")
    u += np.stack([simulate.warp(c, u, spacing=spacing) for c in w])
    return u

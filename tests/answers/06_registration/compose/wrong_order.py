# expect: compose-value: the order is the other one
def compose(u: np.ndarray, w: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    if u.shape != w.shape:
        raise ValueError("the fields live on different grids")
    return w + np.stack([simulate.warp(c, w, spacing=spacing) for c in u])

# expect: compose-value: you add the fields
def compose(u: np.ndarray, w: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    if u.shape != w.shape:
        raise ValueError("the fields live on different grids")
    return u + w

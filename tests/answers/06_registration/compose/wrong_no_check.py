# expect: compose-edges: raise a ValueError
def compose(u: np.ndarray, w: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    w = w[tuple(slice(n) for n in u.shape)]
    return u + np.stack([simulate.warp(c, u, spacing=spacing) for c in w])

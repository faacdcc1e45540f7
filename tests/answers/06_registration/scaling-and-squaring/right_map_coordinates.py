from scipy import ndimage


def exponentiate(v: np.ndarray, steps: int, spacing: tuple[float, ...]) -> np.ndarray:
    if steps < 0:
        raise ValueError("steps must be 0 or more")
    grid = np.indices(v.shape[1:])
    step = np.reshape(spacing, [-1] + [1] * (v.ndim - 1))
    u = v * 0.5**steps
    for _ in range(steps):
        there = grid + u / step
        u = np.array([c + ndimage.map_coordinates(c, there, order=1, mode="nearest") for c in u])
    return u

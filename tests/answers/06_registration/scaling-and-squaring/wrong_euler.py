# expect: scaling-and-squaring-flows: a constant velocity
def exponentiate(v: np.ndarray, steps: int, spacing: tuple[float, ...]) -> np.ndarray:
    if steps < 0:
        raise ValueError("steps must be 0 or more")
    u = v / 2**steps
    small = u.copy()
    for _ in range(steps):
        u = u + np.stack([simulate.warp(c, u, spacing=spacing) for c in small])
    return u

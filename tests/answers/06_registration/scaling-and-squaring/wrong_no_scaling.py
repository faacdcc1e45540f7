# expect: scaling-and-squaring-flows: divide the velocity by 2^steps
def exponentiate(v: np.ndarray, steps: int, spacing: tuple[float, ...]) -> np.ndarray:
    if steps < 0:
        raise ValueError("steps must be 0 or more")
    u = v.copy()
    for _ in range(steps):
        u = u + np.stack([simulate.warp(c, u, spacing=spacing) for c in u])
    return u

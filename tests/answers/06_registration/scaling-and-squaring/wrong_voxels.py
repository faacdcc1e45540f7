# expect: scaling-and-squaring-flows: in mm
def exponentiate(v: np.ndarray, steps: int, spacing: tuple[float, ...]) -> np.ndarray:
    if steps < 0:
        raise ValueError("steps must be 0 or more")
    u = v / 2**steps
    for _ in range(steps):
        u = u + np.stack([simulate.warp(c, u) for c in u])
    return u

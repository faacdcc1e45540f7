# expect: scaling-and-squaring-flows: shrinks the way
def exponentiate(v: np.ndarray, steps: int, spacing: tuple[float, ...]) -> np.ndarray:
    if steps < 0:
        raise ValueError("steps must be 0 or more")
    steps = min(steps, 2)
    u = v / 2**steps
    for _ in range(steps):
        u = u + np.stack([simulate.warp(c, u, spacing=spacing) for c in u])
    return u

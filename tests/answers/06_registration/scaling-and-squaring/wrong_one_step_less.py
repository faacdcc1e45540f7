# expect: scaling-and-squaring-flows: shrinks the way
def exponentiate(v: np.ndarray, steps: int, spacing: tuple[float, ...]) -> np.ndarray:
    if steps < 0:
        raise ValueError("steps must be 0 or more")
    if steps == 0:
        return v.copy()
    u = v / 2 ** (steps - 1)
    for _ in range(steps - 1):
        u = u + np.stack([simulate.warp(c, u, spacing=spacing) for c in u])
    return u

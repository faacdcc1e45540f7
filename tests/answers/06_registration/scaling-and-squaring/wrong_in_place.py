# expect: scaling-and-squaring-folding: is given: work on a copy
def exponentiate(v: np.ndarray, steps: int, spacing: tuple[float, ...]) -> np.ndarray:
    if steps < 0:
        raise ValueError("steps must be 0 or more")
    v /= 2**steps
    u = v
    for _ in range(steps):
        u = u + np.stack([simulate.warp(c, u, spacing=spacing) for c in u])
    return u

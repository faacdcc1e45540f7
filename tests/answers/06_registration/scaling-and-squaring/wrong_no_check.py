# expect: scaling-and-squaring-folding: raise a ValueError
def exponentiate(v: np.ndarray, steps: int, spacing: tuple[float, ...]) -> np.ndarray:
    u = v / 2**steps
    for _ in range(steps):
        u = u + np.stack([simulate.warp(c, u, spacing=spacing) for c in u])
    return u

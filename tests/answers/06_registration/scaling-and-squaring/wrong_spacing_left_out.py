# expect: scaling-and-squaring-flows: pass the spacing on
def exponentiate(v, steps, spacing):
    if steps < 0: raise ValueError("steps")
    u = v / 2**steps
    for _ in range(steps):
        u = u + np.stack([simulate.warp(c, u) for c in u])
    return u

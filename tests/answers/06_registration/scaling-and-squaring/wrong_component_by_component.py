# expect: scaling-and-squaring-inverse: there and back ends
def exponentiate(v, steps, spacing):
    if steps < 0: raise ValueError("steps")
    u = v / 2**steps
    for _ in range(steps):
        for i in range(len(u)):
            u[i] = u[i] + simulate.warp(u[i], u, spacing=spacing)   # second component sees the new first
    return u

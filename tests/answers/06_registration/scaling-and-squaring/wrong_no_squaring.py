# expect: scaling-and-squaring-flows: compose nothing
def exponentiate(v: np.ndarray, steps: int, spacing: tuple[float, ...]) -> np.ndarray:
    if steps < 0:
        raise ValueError("steps must be 0 or more")
    return v / 2**steps

def exponentiate(v: np.ndarray, steps: int, spacing: tuple[float, ...]) -> np.ndarray:
    if steps < 0:
        raise ValueError("steps must be 0 or more")
    def flow(n):
        if n == 0:
            return np.asarray(v, dtype=float) / 2**steps
        half = flow(n - 1)
        return half + np.stack([simulate.warp(c, half, spacing=spacing) for c in half])

    return flow(steps)

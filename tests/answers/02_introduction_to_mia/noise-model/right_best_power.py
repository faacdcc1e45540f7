def noise_model(stack: np.ndarray) -> str:
    """Which power of the mean, 0, 1 or 2, makes the variance most constant? Then air decides between Gaussian and Rician."""
    m, v = np.mean(stack, axis=0).ravel(), np.var(stack, axis=0).ravel()
    order = np.argsort(m)
    top = order[-len(m) // 3 :]
    spread = [np.std(np.log(v[top]) - power * np.log(m[top])) for power in (0, 1, 2)]
    best = int(np.argmin(spread))
    if best:
        return ("poisson", "speckle")[best - 1]
    air = order[: len(m) // 10]
    return "rician" if v[air].mean() / v[top].mean() < 0.7 else "gaussian"

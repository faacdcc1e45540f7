def privacy_spent(sigma: float, steps: int, delta: float, orders: np.ndarray) -> float:
    orders = np.asarray(orders, dtype=float)
    if not sigma > 0 or steps < 1 or not 0 < delta < 1 or len(orders) == 0 or (orders <= 1).any():
        raise ValueError("noise, steps, a delta between 0 and 1, and orders above 1 are needed")
    best = np.inf
    for order in orders:
        spent = 0.0
        for _ in range(int(steps)):
            spent += order / (2 * sigma**2)
        best = min(best, spent + np.log1p(-1 / order) - np.log(delta * order) / (order - 1))
    return float(max(best, 0.0))

# expect: privacy-spent-steps: add at the order, convert once
def privacy_spent(sigma: float, steps: int, delta: float, orders: np.ndarray) -> float:
    orders = np.asarray(orders, dtype=float)
    if not sigma > 0 or steps < 1 or not 0 < delta < 1 or len(orders) == 0 or (orders <= 1).any():
        raise ValueError("noise, steps, a delta between 0 and 1, and orders above 1 are needed")
    one = orders / (2 * sigma**2) + np.log((orders - 1) / orders) - (np.log(delta) + np.log(orders)) / (orders - 1)
    return float(max(0.0, steps * one.min()))

# expect: privacy-spent-bad: must raise a ValueError
def privacy_spent(sigma: float, steps: int, delta: float, orders: np.ndarray) -> float:
    with np.errstate(all="ignore"):
        epsilon = steps * orders / (2 * np.float64(sigma) ** 2) + np.log((orders - 1) / orders) - (np.log(delta) + np.log(orders)) / (orders - 1)
    return float(max(0.0, np.min(epsilon, initial=np.inf)))

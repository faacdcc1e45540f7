# expect: weighted-risk-bad-input: must raise a ValueError
def weighted_risk(losses: np.ndarray, weights: np.ndarray, control: bool = True) -> float:
    losses, weights = np.asarray(losses, dtype=float), np.asarray(weights, dtype=float)
    if len(losses) < 2:
        raise ValueError("lengths")
    if not (np.isfinite(losses).all() and np.isfinite(weights).all()) or (weights < 0).any() or weights.sum() == 0:
        raise ValueError("values")
    both = losses * weights[: len(losses)]
    away = weights[: len(losses)] - weights.mean()
    spread = (away**2).mean()
    eta = -(both * away).mean() / spread if control and spread > 1e-15 else 0.0
    return float(both.mean() + eta * (weights.mean() - 1))

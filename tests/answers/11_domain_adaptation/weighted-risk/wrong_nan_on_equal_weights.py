# expect: weighted-risk-control: with equal weights
def weighted_risk(losses: np.ndarray, weights: np.ndarray, control: bool = True) -> float:
    losses, weights = np.asarray(losses, dtype=float), np.asarray(weights, dtype=float)
    if losses.shape != weights.shape or losses.ndim != 1 or len(losses) < 2:
        raise ValueError("lengths")
    if not (np.isfinite(losses).all() and np.isfinite(weights).all()) or (weights < 0).any() or weights.sum() == 0:
        raise ValueError("values")
    both = losses * weights
    away = weights - weights.mean()
    spread = (away**2).mean()
    eta = -(both * away).mean() / spread if control else 0.0
    return float(both.mean() + eta * (weights.mean() - 1))

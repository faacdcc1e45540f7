def weighted_risk(losses: np.ndarray, weights: np.ndarray, control: bool = True) -> float:
    losses, weights = np.array(losses, dtype=float), np.array(weights, dtype=float)
    if losses.size != weights.size or losses.size < 2 or not np.isfinite(losses.sum() + weights.sum()):
        raise ValueError("lengths or values")
    if weights.min() < 0 or weights.max() == 0:
        raise ValueError("weights")
    if not control or np.ptp(weights) < 1e-12:
        return float(np.dot(weights, losses) / len(losses))
    slope, offset = np.polyfit(weights, weights * losses, 1)  # the risk is the fitted line, read where the weight is 1
    return float(slope + offset)

# expect: surface-scores-dice: beyond the tolerance
def surface_scores(forth: np.ndarray, back: np.ndarray, tolerance: float) -> tuple[float, float]:
    if not len(forth) and not len(back):
        return 0.0, 1.0
    if not len(forth) or not len(back):
        return float("inf"), 0.0
    hd95 = max(np.percentile(forth, 95), np.percentile(back, 95))
    return float(hd95), float(np.mean(np.concatenate([forth, back]) > tolerance))

# expect: surface-scores-hd95: HD95 should be 2 mm
def surface_scores(forth: np.ndarray, back: np.ndarray, tolerance: float) -> tuple[float, float]:
    if not len(forth) and not len(back):
        return 0.0, 1.0
    if not len(forth) or not len(back):
        return float("inf"), 0.0
    hd95 = max(forth.mean(), back.mean())*1.0
    return float(hd95), float(np.mean(np.concatenate([forth, back]) <= tolerance))

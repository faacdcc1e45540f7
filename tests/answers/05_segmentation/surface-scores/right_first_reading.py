def surface_scores(forth, back, tolerance):
    forth, back = np.asarray(forth, float), np.asarray(back, float)
    if len(forth) == 0 and len(back) == 0:
        return 0.0, 1.0
    if len(forth) == 0 or len(back) == 0:
        return float("inf"), 0.0
    hd = max(np.percentile(forth, 95), np.percentile(back, 95))
    return float(hd), float(np.mean(np.r_[forth, back] <= tolerance))

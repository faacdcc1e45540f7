def bright_pixels(healthy: np.ndarray, healthy_brain: np.ndarray, images: np.ndarray, brain: np.ndarray, quantile: float) -> np.ndarray:
    for masks, slices in ((healthy_brain, healthy), (brain, images)):
        for one, inside in zip(slices, masks):
            if not inside.any() or np.median(one[inside]) <= 0:
                raise ValueError("bad input")
    pool = []
    for one, inside in zip(healthy, healthy_brain):
        pool += list(one[inside] / np.median(one[inside]))
    limit = np.quantile(pool, quantile)
    found = np.zeros(images.shape, dtype=bool)
    for n in range(len(images)):
        unit = np.median(images[n][brain[n]])
        found[n] = (images[n] / unit > limit) & brain[n]
    return found

# expect: intensity-baseline-healthy: depends on the other new slices
def bright_pixels(healthy: np.ndarray, healthy_brain: np.ndarray, images: np.ndarray, brain: np.ndarray, quantile: float) -> np.ndarray:
    for masks, slices in ((healthy_brain, healthy), (brain, images)):
        for one, inside in zip(slices, masks):
            if not inside.any() or np.median(one[inside]) <= 0:
                raise ValueError("bad input")
    def scale(slices, masks):
        return np.stack([one / np.median(one[m]) for one, m in zip(slices, masks)])

    scaled = scale(images, brain)
    return (scaled > np.quantile(scaled[brain], quantile)) & brain

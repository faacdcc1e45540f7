# expect: intensity-baseline-units: times 250
def bright_pixels(healthy: np.ndarray, healthy_brain: np.ndarray, images: np.ndarray, brain: np.ndarray, quantile: float) -> np.ndarray:
    for masks, slices in ((healthy_brain, healthy), (brain, images)):
        for one, inside in zip(slices, masks):
            if not inside.any() or np.median(one[inside]) <= 0:
                raise ValueError("bad input")
    return (images > np.quantile(healthy[healthy_brain], quantile)) & brain

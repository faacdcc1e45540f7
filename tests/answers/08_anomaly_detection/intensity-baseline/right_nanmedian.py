def bright_pixels(healthy: np.ndarray, healthy_brain: np.ndarray, images: np.ndarray, brain: np.ndarray, quantile: float) -> np.ndarray:
    def scale(slices, masks):
        middle = np.array([np.median(one[m]) if m.any() else 0.0 for one, m in zip(slices, masks)])
        if (middle <= 0).any():
            raise ValueError("a brain is missing or dark")
        return slices / middle[:, None, None]

    limit = np.quantile(scale(healthy, healthy_brain)[healthy_brain], quantile)
    return np.logical_and(scale(images, brain) > limit, brain)

# expect: intensity-baseline-bad-input: must raise ValueError
def bright_pixels(healthy: np.ndarray, healthy_brain: np.ndarray, images: np.ndarray, brain: np.ndarray, quantile: float) -> np.ndarray:
    def scale(slices, masks):
        return np.stack([one / max(np.median(one[m]) if m.any() else 1.0, 1e-9) for one, m in zip(slices, masks)])

    threshold = np.quantile(scale(healthy, healthy_brain)[healthy_brain], quantile)
    return (scale(images, brain) > threshold) & brain

from skimage.transform import iradon


def fbp(counts: np.ndarray, blank: float, angles: np.ndarray, spacing: float) -> np.ndarray:
    p = -np.log(np.clip(counts, 1, None) / blank)
    return iradon(p, theta=angles, filter_name="ramp", circle=False, output_size=len(p)) / spacing

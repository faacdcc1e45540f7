def image_from_gradient(grad_w: np.ndarray, grad_b: np.ndarray) -> np.ndarray:
    if len(grad_w) != len(grad_b) or not np.any(grad_b):
        raise ValueError("nothing to read")
    return np.linalg.lstsq(grad_b[:, None], grad_w, rcond=None)[0][0]

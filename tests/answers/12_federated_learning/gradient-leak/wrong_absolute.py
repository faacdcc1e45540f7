# expect: gradient-leak-value: came out negative
def image_from_gradient(grad_w: np.ndarray, grad_b: np.ndarray) -> np.ndarray:
    if len(grad_w) != len(grad_b) or not np.any(grad_b):
        raise ValueError("nothing to read")
    return grad_w[0] / np.abs(grad_b[0])

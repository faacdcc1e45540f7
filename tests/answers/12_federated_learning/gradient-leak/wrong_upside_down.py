# expect: gradient-leak-value: upside down
def image_from_gradient(grad_w: np.ndarray, grad_b: np.ndarray) -> np.ndarray:
    if len(grad_w) != len(grad_b) or not np.any(grad_b):
        raise ValueError("nothing to read")
    i = np.argmax(np.abs(grad_b))
    return grad_b[i] / grad_w[i]

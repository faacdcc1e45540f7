# expect: gradient-leak-dead: compare sizes
def image_from_gradient(grad_w: np.ndarray, grad_b: np.ndarray) -> np.ndarray:
    if len(grad_w) != len(grad_b) or not np.any(grad_b):
        raise ValueError("nothing can be read")
    unit = int(np.argmax(grad_b))
    return grad_w[unit] / grad_b[unit]

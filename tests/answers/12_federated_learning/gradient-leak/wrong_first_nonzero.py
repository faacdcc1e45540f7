# expect: gradient-leak-dead: prefer the unit with the largest
def image_from_gradient(grad_w: np.ndarray, grad_b: np.ndarray) -> np.ndarray:
    if len(grad_w) != len(grad_b) or not np.any(grad_b):
        raise ValueError("nothing to read")
    i = np.flatnonzero(grad_b)[0]
    return grad_w[i] / grad_b[i]

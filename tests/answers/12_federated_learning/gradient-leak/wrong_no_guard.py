# expect: gradient-leak-none: must raise a ValueError
def image_from_gradient(grad_w: np.ndarray, grad_b: np.ndarray) -> np.ndarray:
    i = np.argmax(np.abs(grad_b))
    return grad_w[i] / (grad_b[i] or 1)

# expect: gradient-leak-dead: plain sums may cancel
def image_from_gradient(grad_w: np.ndarray, grad_b: np.ndarray) -> np.ndarray:
    if len(grad_w) != len(grad_b) or not np.any(grad_b):
        raise ValueError("nothing to read")
    return grad_w.sum(0) / (grad_b.sum() or 1e-12)

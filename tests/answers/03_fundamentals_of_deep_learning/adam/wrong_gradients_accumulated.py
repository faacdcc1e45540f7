# expect: adam-torch: does each gradient enter m and v once
def adam_step(
    theta: np.ndarray, gradient: np.ndarray, m: np.ndarray, v: np.ndarray, t: int, lr: float = 1e-3, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if t < 1:
        raise ValueError("t counts from 1")
    global _piled
    _piled = np.array(gradient) if t == 1 else _piled + gradient
    g = _piled
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
    return theta - lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps), m, v

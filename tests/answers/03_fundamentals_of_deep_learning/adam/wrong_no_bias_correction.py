# expect: adam-first, adam-averages, adam-torch: no bias correction
def adam_step(
    theta: np.ndarray, gradient: np.ndarray, m: np.ndarray, v: np.ndarray, t: int, lr: float = 1e-3, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if t < 1:
        raise ValueError(f"steps count from 1, not {t}: with t = 0 the bias correction divides by zero")
    m, v = beta1 * m + (1 - beta1) * gradient, beta2 * v + (1 - beta2) * gradient**2
    return theta - lr * m / (np.sqrt(v) + eps), m, v

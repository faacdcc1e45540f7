# expect: adam-averages: in place
def adam_step(
    theta: np.ndarray, gradient: np.ndarray, m: np.ndarray, v: np.ndarray, t: int, lr: float = 1e-3, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if t < 1:
        raise ValueError("t counts from 1")
    m *= beta1
    m += (1 - beta1) * gradient
    v *= beta2
    v += (1 - beta2) * gradient**2
    return theta - lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps), m, v

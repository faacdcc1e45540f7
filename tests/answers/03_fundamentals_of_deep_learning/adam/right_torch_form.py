def adam_step(
    theta: np.ndarray, gradient: np.ndarray, m: np.ndarray, v: np.ndarray, t: int, lr: float = 1e-3, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if t < 1:
        raise ValueError("the first step is step 1")
    theta, gradient, m, v = (torch.as_tensor(np.array(part, dtype=float)) for part in (theta, gradient, m, v))
    m, v = torch.lerp(m, gradient, 1 - beta1), v.mul(beta2).addcmul(gradient, gradient, value=1 - beta2)
    denominator = v.sqrt() / (1 - beta2**t) ** 0.5 + eps
    return theta.addcdiv(m, denominator, value=-lr / (1 - beta1**t)), m, v

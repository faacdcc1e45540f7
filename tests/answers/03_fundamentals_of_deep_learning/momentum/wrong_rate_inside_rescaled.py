# expect: momentum-torch: the rate stands inside your velocity
def momentum_step(theta: np.ndarray, gradient: np.ndarray, velocity: np.ndarray, lr: float, mu: float) -> tuple[np.ndarray, np.ndarray]:
    global _rate
    old = velocity * _rate if "_rate" in globals() and velocity.any() else velocity * 0
    step = mu * old + lr * gradient
    _rate = lr
    return theta - step, step / lr

# expect: momentum-step, momentum-torch: damped by 1 - mu
def momentum_step(theta: np.ndarray, gradient: np.ndarray, velocity: np.ndarray, lr: float, mu: float) -> tuple[np.ndarray, np.ndarray]:
    velocity = mu * velocity + (1 - mu) * gradient
    return theta - lr * velocity, velocity

# expect: momentum-step, momentum-torch: multiplied by the rate
def momentum_step(theta: np.ndarray, gradient: np.ndarray, velocity: np.ndarray, lr: float, mu: float) -> tuple[np.ndarray, np.ndarray]:
    velocity = mu * velocity + lr * gradient
    return theta - velocity, velocity

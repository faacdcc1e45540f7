# expect: momentum-step, momentum-torch: first step: theta -0.1
def momentum_step(theta: np.ndarray, gradient: np.ndarray, velocity: np.ndarray, lr: float, mu: float) -> tuple[np.ndarray, np.ndarray]:
    velocity = mu * velocity + gradient
    return theta - lr * (gradient + mu * velocity), velocity

# expect: momentum-step, momentum-torch: second step: velocity 1.9
def momentum_step(theta: np.ndarray, gradient: np.ndarray, velocity: np.ndarray, lr: float, mu: float) -> tuple[np.ndarray, np.ndarray]:
    velocity = gradient
    return theta - lr * velocity, velocity

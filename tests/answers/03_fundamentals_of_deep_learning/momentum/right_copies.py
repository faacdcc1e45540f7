def momentum_step(theta: np.ndarray, gradient: np.ndarray, velocity: np.ndarray, lr: float, mu: float) -> tuple[np.ndarray, np.ndarray]:
    v = velocity.copy()
    v *= mu
    v += gradient
    return theta + (-lr) * v, v

def momentum_step(theta: np.ndarray, gradient: np.ndarray, velocity: np.ndarray, lr: float, mu: float) -> tuple[np.ndarray, np.ndarray]:
    theta, gradient, velocity = (torch.tensor(part, dtype=torch.float64) for part in (theta, gradient, velocity))
    velocity = velocity * mu + gradient
    return theta.sub(velocity, alpha=lr), velocity

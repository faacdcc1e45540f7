from scipy.special import expit


def fit_logistic(x: np.ndarray, y: np.ndarray, l2: float, lr: float, steps: int) -> tuple[np.ndarray, float]:
    if np.any((y != 0) & (y != 1)):
        raise ValueError("labels must be 0 or 1")
    wide = np.column_stack([x, np.ones(len(x))])
    decay = np.r_[np.full(x.shape[1], l2), 0.0]
    theta = np.zeros(wide.shape[1])
    for _ in range(steps):
        theta -= lr * (wide.T @ (expit(wide @ theta) - y) / len(wide) + decay * theta)
    return theta[:-1], theta[-1]

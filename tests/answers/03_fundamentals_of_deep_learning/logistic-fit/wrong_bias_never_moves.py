# expect: logistic-fit-steps, logistic-fit-minimum: after one step the bias
def fit_logistic(x: np.ndarray, y: np.ndarray, l2: float, lr: float, steps: int) -> tuple[np.ndarray, float]:
    if not set(np.unique(y).tolist()) <= {0, 1}:
        raise ValueError("labels must be 0 or 1")
    w, b = np.zeros(x.shape[1]), 0.0
    for _ in range(steps):
        p = 1 / (1 + np.exp(-(x @ w + b)))
        slope_w = (p - y) @ x / len(y) + l2 * w
        slope_b = np.mean(p - y)
        w = w - lr * slope_w
        b = b
    return w, b

# expect: logistic-fit-labels: you accepted the labels
def fit_logistic(x: np.ndarray, y: np.ndarray, l2: float, lr: float, steps: int) -> tuple[np.ndarray, float]:
    w, b = np.zeros(x.shape[1]), 0.0
    for _ in range(steps):
        p = 1 / (1 + np.exp(-(x @ w + b)))
        slope_w = (p - y) @ x / len(y) + l2 * w
        slope_b = np.mean(p - y)
        w = w - lr * slope_w
        b = b - lr * slope_b
    return w, b

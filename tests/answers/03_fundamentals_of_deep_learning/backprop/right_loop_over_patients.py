def gradients(X: np.ndarray, y: np.ndarray, W1: np.ndarray, b1: np.ndarray, w2: np.ndarray, b2: float) -> tuple:
    loss, dW1, db1, dw2, db2 = 0.0, np.zeros_like(W1), np.zeros_like(b1), np.zeros_like(w2), 0.0
    for row, label in zip(X, y):
        h = np.tanh(W1 @ row + b1)
        s = w2 @ h + b2
        loss += (max(s, 0) + np.log1p(np.exp(-abs(s))) - label * s) / len(y)
        p = 1 / (1 + np.exp(-s)) if s > 0 else np.exp(s) / (1 + np.exp(s))
        d = (p - label) / len(y)
        dw2, db2 = dw2 + d * h, db2 + d
        a = d * w2 * (1 - h * h)
        dW1, db1 = dW1 + np.outer(a, row), db1 + a
    return loss, dW1, db1, dw2, db2

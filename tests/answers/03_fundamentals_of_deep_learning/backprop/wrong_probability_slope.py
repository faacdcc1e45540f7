# expect: backprop-output, backprop-hidden, backprop-extreme: don't agree with finite differences
def gradients(X: np.ndarray, y: np.ndarray, W1: np.ndarray, b1: np.ndarray, w2: np.ndarray, b2: float) -> tuple:
    from scipy.special import expit

    H = np.tanh(X @ W1.T + b1)
    s = H @ w2 + b2
    loss = np.mean(np.logaddexp(0, s) - y * s)
    delta = (expit(s) - y) * expit(s) * (1 - expit(s)) / len(y)
    through = np.outer(delta, w2) * (1 - H**2)
    return loss, through.T @ X, through.sum(axis=0), H.T @ delta, delta.sum()

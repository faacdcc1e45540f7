def gradients(X: np.ndarray, y: np.ndarray, W1: np.ndarray, b1: np.ndarray, w2: np.ndarray, b2: float) -> tuple:
    A = np.einsum("nf,hf->nh", X, W1) + b1
    H = np.tanh(A)
    s = H @ w2 + b2
    p = 0.5 * (1 + np.tanh(s / 2))
    d = (p - y) / y.size
    back = d[:, None] * w2 / np.cosh(np.clip(A, -300, 300)) ** 2
    loss = (np.logaddexp(0, s) - y * s).sum() / y.size
    return [loss, np.einsum("nh,nf->hf", back, X), back.sum(0), d @ H, float(d.sum())]

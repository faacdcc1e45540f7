# expect: batch-norm-train: one a channel
def batch_norm(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, running_mean: np.ndarray, running_var: np.ndarray, training: bool, momentum: float = 0.1, eps: float = 1e-5
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mean, var = running_mean, running_var
    if training:
        count = x.shape[0] * x.shape[2] * x.shape[3]
        if count == 1:
            raise ValueError("one value a channel has no variance: use a larger batch, or eval mode")
        mean, var = np.full(x.shape[1], x.mean()), np.full(x.shape[1], x.var())
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * var * count / (count - 1)
    scale = gamma / np.sqrt(var + eps)
    y = (x - mean[:, None, None]) * scale[:, None, None] + beta[:, None, None]
    return y, np.array(running_mean), np.array(running_var)

# expect: batch-norm-train: not with the remembered ones
def batch_norm(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, running_mean: np.ndarray, running_var: np.ndarray, training: bool, momentum: float = 0.1, eps: float = 1e-5
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mean, var = running_mean, running_var
    if training:
        count = x.shape[0] * x.shape[2] * x.shape[3]
        if count == 1:
            raise ValueError("one value a channel has no variance: use a larger batch, or eval mode")
        new = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))
        running_mean = (1 - momentum) * running_mean + momentum * new[0]
        running_var = (1 - momentum) * running_var + momentum * new[1] * count / (count - 1)
    scale = gamma / np.sqrt(var + eps)
    y = (x - mean[:, None, None]) * scale[:, None, None] + beta[:, None, None]
    return y, np.array(running_mean), np.array(running_var)

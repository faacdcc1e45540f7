def batch_norm(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, running_mean: np.ndarray, running_var: np.ndarray, training: bool, momentum: float = 0.1, eps: float = 1e-5
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    C = x.shape[1]
    rows = np.moveaxis(x, 1, 0).reshape(C, -1)
    if training:
        if rows.shape[1] < 2:
            raise ValueError("one value a channel")
        mean, var = rows.mean(1), rows.var(1)
        running_mean = running_mean + momentum * (mean - running_mean)
        running_var = running_var + momentum * (rows.var(1, ddof=1) - running_var)
    else:
        mean, var = running_mean, running_var
    shape = (1, C, 1, 1)
    y = (x - mean.reshape(shape)) / np.sqrt(var.reshape(shape) + eps) * gamma.reshape(shape) + beta.reshape(shape)
    return y, running_mean, running_var

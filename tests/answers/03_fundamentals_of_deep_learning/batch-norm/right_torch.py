def batch_norm(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, running_mean: np.ndarray, running_var: np.ndarray, training: bool, momentum: float = 0.1, eps: float = 1e-5
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mean, var = (torch.tensor(np.array(part), dtype=torch.float64) for part in (running_mean, running_var))
    if training and x.size == x.shape[1]:
        raise ValueError("a single value a channel")
    y = torch.nn.functional.batch_norm(
        torch.tensor(x, dtype=torch.float64), mean, var, torch.tensor(gamma, dtype=torch.float64), torch.tensor(beta, dtype=torch.float64), training, momentum, eps
    )
    return y, mean, var

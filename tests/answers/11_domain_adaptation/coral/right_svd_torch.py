def coral(source: np.ndarray, target: np.ndarray, ridge: float = 0.0) -> np.ndarray:
    s, t = torch.as_tensor(np.array(source), dtype=torch.float64), torch.as_tensor(np.array(target), dtype=torch.float64)
    if s.ndim != 2 or s.shape[1:] != t.shape[1:] or min(len(s), len(t)) < 2 or ridge < 0 or not (torch.isfinite(s).all() and torch.isfinite(t).all()):
        raise ValueError("bad input")

    def root(rows, power):
        u, values, _ = torch.linalg.svd((rows - rows.mean(0)).T @ (rows - rows.mean(0)) / (len(rows) - 1) + ridge * torch.eye(rows.shape[1], dtype=rows.dtype))
        if power < 0 and values.min() < 1e-12:
            raise ValueError("can't be inverted")
        return u @ torch.diag(values**power) @ u.T

    return ((s - s.mean(0)) @ root(s, -0.5) @ root(t, 0.5) + t.mean(0)).numpy()

def coral(source: np.ndarray, target: np.ndarray, ridge: float = 0.0) -> np.ndarray:
    if len(source) < 2 or len(target) < 2 or source.shape[1] != target.shape[1] or ridge < 0:
        raise ValueError("bad input")
    s, t = torch.as_tensor(np.array(source)).float(), torch.as_tensor(np.array(target)).float()
    if not (torch.isfinite(s).all() and torch.isfinite(t).all()):
        raise ValueError("not finite")

    def root(rows, power):
        values, vectors = torch.linalg.eigh(torch.atleast_2d(torch.cov(rows.T)) + ridge * torch.eye(rows.shape[1]))
        if power < 0 and values.min() < 1e-6 * values.max():
            raise ValueError("give a ridge")
        return vectors @ torch.diag(values.clamp_min(0) ** power) @ vectors.T

    return ((s - s.mean(0)) @ root(s, -0.5) @ root(t, 0.5) + t.mean(0)).numpy()

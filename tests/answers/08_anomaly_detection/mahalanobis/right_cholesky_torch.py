def mahalanobis_maps(healthy: np.ndarray, new: np.ndarray, shrink: float) -> np.ndarray:
    if len(healthy) < 2 or shrink <= 0:
        raise ValueError("at least two healthy images and a positive shrink are needed")
    if healthy.shape[1:] != new.shape[1:]:
        raise ValueError("places or features differ")
    h, x = torch.as_tensor(healthy).double().permute(1, 0, 2), torch.as_tensor(new).double().permute(1, 2, 0)
    m = h.mean(1, keepdim=True)
    cov = (h - m).transpose(1, 2) @ (h - m) / (h.shape[1] - 1)
    cov = cov + shrink * torch.eye(h.shape[2], dtype=torch.float64)
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(cov), x - m.transpose(1, 2), upper=False)
    return white.norm(dim=1).T.numpy()

def squared_mmd(x: np.ndarray, z: np.ndarray, gamma: float) -> float:
    if len(x) < 2 or len(z) < 2 or x.shape[1] != z.shape[1] or not np.isfinite(x).all() or not np.isfinite(z).all() or gamma <= 0:
        raise ValueError("bad input")
    a, b = torch.as_tensor(x, dtype=torch.float64), torch.as_tensor(z, dtype=torch.float64)
    off = lambda q: (q.sum() - q.trace()) / (len(q) * (len(q) - 1))
    k = lambda u, v: torch.exp(-gamma * torch.cdist(u, v, compute_mode="donot_use_mm_for_euclid_dist") ** 2)
    return float(off(k(a, a)) + off(k(b, b)) - 2 * k(a, b).mean())

def faithfulness(importance, removed, full, without):
    a, s, f, left = (torch.as_tensor(np.array(part), dtype=torch.float64) for part in (importance, removed, full, without))
    if a.ndim != 2 or s.ndim != 2 or s.shape[1] != a.shape[1] or f.shape != (a.shape[0],) or left.shape != (a.shape[0], s.shape[0]):
        raise ValueError("the shapes don't fit")
    if a.isnan().any() or f.isnan().any() or left.isnan().any():
        raise ValueError("nan")
    promised = torch.einsum("nk,mk->nm", a, s)
    drop = f[:, None] - left
    promised = promised - promised.mean(1, keepdim=True)
    drop = drop - drop.mean(1, keepdim=True)
    n1, n2 = promised.norm(dim=1), drop.norm(dim=1)
    m = s.shape[0] ** 0.5
    r = (promised * drop).sum(1) / (n1 * n2)
    return torch.where((n1 > 1e-12 * m) & (n2 > 1e-12 * m), r, torch.zeros_like(r)).numpy()

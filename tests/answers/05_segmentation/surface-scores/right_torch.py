def surface_scores(forth: np.ndarray, back: np.ndarray, tolerance: float) -> tuple[float, float]:
    d = [torch.as_tensor(x, dtype=torch.double) for x in (forth, back)]
    sizes = [x.numel() for x in d]
    if min(sizes) == 0:
        return (0.0, 1.0) if max(sizes) == 0 else (float("inf"), 0.0)
    share = (torch.cat(d) <= tolerance).double().mean()
    return torch.stack([torch.quantile(x, 0.95) for x in d]).max(), share

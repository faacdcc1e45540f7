def endpoint_error(predicted: np.ndarray, truth: np.ndarray, mask: np.ndarray, spacing: tuple[float, ...]) -> float:
    if not mask.any():
        raise ValueError("empty mask")
    gap = torch.as_tensor(predicted - truth).double()
    gap = torch.stack([g * s for g, s in zip(gap, spacing)])
    return float(gap.norm(dim=0)[torch.as_tensor(mask)].mean())

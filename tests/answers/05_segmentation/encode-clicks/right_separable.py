def encode_clicks(clicks: list, shape: tuple, spacing: tuple, sigma: float) -> np.ndarray:
    out = torch.zeros(2, *shape)
    for place, positive in clicks:
        bell = torch.ones(())
        for n, p, s in zip(shape, place, spacing):
            bell = bell[..., None] * torch.exp(-(((torch.arange(n) - p) * s / sigma) ** 2) / 2)
        out[int(not positive)] = torch.maximum(out[int(not positive)], bell)
    return out

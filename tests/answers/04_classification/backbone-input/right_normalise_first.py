def backbone_input(images: np.ndarray, size: int, mean: tuple, std: tuple) -> torch.Tensor:
    x = torch.as_tensor(images).float().unsqueeze(1).repeat(1, 3, 1, 1)
    m, s = (torch.tensor(v, dtype=torch.float32)[None, :, None, None] for v in (mean, std))
    return torch.nn.functional.interpolate((x - 255 * m) / (255 * s), size=size, mode="bilinear")

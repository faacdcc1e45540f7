def backbone_input(images: np.ndarray, size: int, mean: tuple, std: tuple) -> torch.Tensor:
    grey = torch.from_numpy(images.astype(np.float32) / 255)[:, None]
    grey = torch.nn.functional.interpolate(grey, size=(size, size), mode="bilinear", align_corners=False)[:, 0]
    return torch.stack([(grey - m) / s for m, s in zip(mean, std)], dim=1)

# expect: backbone-input-scale: did you subtract it
def backbone_input(images: np.ndarray, size: int, mean: tuple, std: tuple) -> torch.Tensor:
    x = torch.tensor(images, dtype=torch.float32)[:, None].expand(-1, 3, -1, -1) / 255
    x = torch.nn.functional.interpolate(x, (size, size), mode="bilinear")
    return (x - x.mean(dim=(0, 2, 3), keepdim=True)) / torch.tensor(std).view(1, 3, 1, 1)

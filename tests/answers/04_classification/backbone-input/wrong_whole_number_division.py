# expect: backbone-input-shape, backbone-input-scale: differs from torch
def backbone_input(images: np.ndarray, size: int, mean: tuple, std: tuple) -> torch.Tensor:
    x = torch.tensor(images // 255, dtype=torch.float32)[:, None].expand(-1, 3, -1, -1)
    x = torch.nn.functional.interpolate(x, (size, size), mode="bilinear")
    return (x - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)

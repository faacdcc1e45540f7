def backbone_input(images: np.ndarray, size: int, mean: tuple, std: tuple) -> torch.Tensor:
    """Grey images as a colour backbone wants them.

    Args:
        images: (N, H, W) uint8, 0 to 255.
        size: edge length in pixels that the backbone gets.
        mean, std: three numbers each, one a colour channel, for pixels from 0 to 1.

    Returns:
        (N, 3, size, size) float32: three copies of the grey image, bilinear resize, then (x / 255 - mean) / std.
    """
    x = torch.tensor(images, dtype=torch.float32)[:, None].repeat(1, 3, 1, 1) / 255
    x = torch.nn.functional.interpolate(x, (size, size), mode="bilinear", antialias=True)
    return (x - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)

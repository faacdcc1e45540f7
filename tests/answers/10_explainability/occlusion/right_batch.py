def occlusion_map(score, image: torch.Tensor, size: int, stride: int, fill: float) -> torch.Tensor:
    h, w = image.shape
    if size < 1 or size > min(h, w) or stride < 1 or stride > size or (h - size) % stride != 0 or (w - size) % stride != 0:
        raise ValueError("bad sizes")
    masks = []
    for top in range(0, h - size + 1, stride):
        for left in range(0, w - size + 1, stride):
            mask = torch.zeros(h, w, dtype=torch.bool)
            mask[top : top + size, left : left + size] = True
            masks.append(mask)
    masks = torch.stack(masks)
    drops = score(image[None]) - score(torch.where(masks, torch.as_tensor(fill, dtype=image.dtype), image))
    return (drops[:, None, None] * masks).sum(0) / masks.sum(0)

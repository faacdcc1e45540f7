# expect: occlusion-captum: paints into the image
def occlusion_map(score, image: torch.Tensor, size: int, stride: int, fill: float) -> torch.Tensor:
    height, width = image.shape
    if not 1 <= size <= min(height, width) or not 1 <= stride <= size:
        raise ValueError("size must lie between 1 and the image's edge, stride between 1 and size")
    if (height - size) % stride or (width - size) % stride:
        raise ValueError("the squares don't reach the border: H - size and W - size must be multiples of stride")
    total, count = torch.zeros_like(image), torch.zeros_like(image)
    with torch.no_grad():
        whole = score(image[None])[0]
        for top in range(0, height - size + 1, stride):
            for left in range(0, width - size + 1, stride):
                hidden = image
                hidden[top : top + size, left : left + size] = fill
                total[top : top + size, left : left + size] += whole - score(hidden[None])[0]
                count[top : top + size, left : left + size] += 1
    return total / count

def occlusion_map(score, image, size, stride, fill):
    H, W = image.shape
    if not 1 <= size <= min(H, W) or not 1 <= stride <= size or (H - size) % stride or (W - size) % stride:
        raise ValueError("bad size or stride")
    total, count = torch.zeros_like(image), torch.zeros_like(image)
    with torch.no_grad():
        s0 = score(image[None])[0]
        for top in range(0, H - size + 1, stride):
            for left in range(0, W - size + 1, stride):
                c = image.clone()
                c[top : top + size, left : left + size] = fill
                total[top : top + size, left : left + size] += s0 - score(c[None])[0]
                count[top : top + size, left : left + size] += 1
    return total / count

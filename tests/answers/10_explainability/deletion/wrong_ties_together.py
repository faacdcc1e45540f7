# expect: deletion-steps: 10 pixels, 4 steps
def deletion_curve(score, image, heat, baseline, steps):
    if not image.shape == heat.shape == baseline.shape or torch.isnan(heat).any() or not 1 <= steps <= image.numel():
        raise ValueError("bad input")
    P, images, ranked = image.numel(), [], heat.flatten().sort(descending=True).values
    for k in range(steps + 1):
        n = k * P // steps
        gone = heat >= ranked[n - 1] if n else torch.zeros_like(heat, dtype=torch.bool)
        images.append(torch.where(gone, baseline, image))
    with torch.no_grad():
        scores = score(torch.stack(images))
    return scores, float(torch.trapezoid(scores, dx=1 / steps))

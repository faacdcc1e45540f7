# expect: deletion-steps: 10 pixels, 4 steps
def deletion_curve(score, image, heat, baseline, steps):
    if not image.shape == heat.shape == baseline.shape or torch.isnan(heat).any() or not 1 <= steps <= image.numel():
        raise ValueError("bad input")
    order = torch.argsort(heat.flatten(), stable=True).flip(0)
    P, images = image.numel(), []
    for k in range(steps + 1):
        x = image.clone().flatten()
        gone = order[: k * P // steps]
        x[gone] = baseline.flatten()[gone]
        images.append(x.reshape(image.shape))
    with torch.no_grad():
        scores = score(torch.stack(images))
    return scores, float(torch.trapezoid(scores, dx=1 / steps))

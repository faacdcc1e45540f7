def deletion_curve(score, image: torch.Tensor, heat: torch.Tensor, baseline: torch.Tensor, steps: int) -> tuple:
    if len({tuple(part.shape) for part in (image, heat, baseline)}) > 1:
        raise ValueError("shapes")
    values, count = heat.reshape(-1).tolist(), heat.numel()
    if not 0 < steps <= count:
        raise ValueError("steps")
    if any(value != value for value in values):
        raise ValueError("nan")
    order = sorted(range(count), key=lambda place: -values[place])
    frames = []
    for k in range(steps + 1):
        frame = image.clone().reshape(-1)
        chosen = order[: (k * count) // steps]
        frame[chosen] = baseline.reshape(-1)[chosen]
        frames.append(frame.reshape(image.shape))
    scores = score(torch.stack(frames))
    return scores, np.trapezoid(scores.numpy(), np.linspace(0, 1, steps + 1))

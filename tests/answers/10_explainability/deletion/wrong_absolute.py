# expect: deletion-order: not by its size
def deletion_curve(score, image: torch.Tensor, heat: torch.Tensor, baseline: torch.Tensor, steps: int) -> tuple[torch.Tensor, float]:
    if not image.shape == heat.shape == baseline.shape:
        raise ValueError("image, map and baseline must have one shape")
    if not 1 <= steps <= image.numel():
        raise ValueError(f"steps must lie between 1 and the {image.numel()} pixels")
    if torch.isnan(heat).any():
        raise ValueError("the map holds nan: it orders nothing")
    order = torch.argsort(heat.flatten().abs(), descending=True, stable=True)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order))
    cuts = torch.arange(steps + 1) * len(order) // steps
    gone = (rank[None] < cuts[:, None]).reshape(-1, *image.shape)
    with torch.no_grad():
        scores = score(torch.where(gone, baseline, image))
    return scores, float(torch.trapezoid(scores, dx=1 / steps))

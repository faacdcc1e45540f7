# expect: symmetric-info-nce-value: normalise each vector
def symmetric_info_nce(image: torch.Tensor, report: torch.Tensor, temperature: float) -> torch.Tensor:
    if image.ndim != 2 or image.shape != report.shape or len(image) < 2 or not temperature > 0:
        raise ValueError("bad input")
    own = torch.arange(len(image))
    z = image @ report.T / temperature
    return (torch.nn.functional.cross_entropy(z, own) + torch.nn.functional.cross_entropy(z.T, own)) / 2

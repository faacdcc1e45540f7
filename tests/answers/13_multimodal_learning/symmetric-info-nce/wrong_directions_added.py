# expect: symmetric-info-nce-value: averaged, not added
def symmetric_info_nce(image: torch.Tensor, report: torch.Tensor, temperature: float) -> torch.Tensor:
    if image.ndim != 2 or image.shape != report.shape or len(image) < 2 or not temperature > 0:
        raise ValueError("bad input")
    u, v = torch.nn.functional.normalize(image, dim=1), torch.nn.functional.normalize(report, dim=1)
    own = torch.arange(len(image))
    z = u @ v.T / temperature
    return torch.nn.functional.cross_entropy(z, own) + torch.nn.functional.cross_entropy(z.T, own)

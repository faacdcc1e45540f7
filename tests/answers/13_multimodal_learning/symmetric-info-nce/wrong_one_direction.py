# expect: symmetric-info-nce-value, symmetric-info-nce-symmetry: are missing
def symmetric_info_nce(image: torch.Tensor, report: torch.Tensor, temperature: float) -> torch.Tensor:
    if image.ndim != 2 or image.shape != report.shape or len(image) < 2 or not temperature > 0:
        raise ValueError("bad input")
    u, v = torch.nn.functional.normalize(image, dim=1), torch.nn.functional.normalize(report, dim=1)
    own = torch.arange(len(image))
    return torch.nn.functional.cross_entropy(u @ v.T / temperature, own)

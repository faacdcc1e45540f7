# expect: symmetric-info-nce-bad: must raise a ValueError
def symmetric_info_nce(image: torch.Tensor, report: torch.Tensor, temperature: float) -> torch.Tensor:
    u, v = torch.nn.functional.normalize(image, dim=1), torch.nn.functional.normalize(report, dim=1)
    own = torch.arange(len(image))
    z = u @ v.T / temperature
    return (torch.nn.functional.cross_entropy(z, own) + torch.nn.functional.cross_entropy(z.T, own)) / 2

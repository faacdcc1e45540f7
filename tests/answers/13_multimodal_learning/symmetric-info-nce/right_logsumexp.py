def symmetric_info_nce(image: torch.Tensor, report: torch.Tensor, temperature: float) -> torch.Tensor:
    if image.ndim != 2 or image.shape != report.shape or len(image) < 2 or not temperature > 0:
        raise ValueError("bad input")
    u = image / image.norm(dim=1, keepdim=True)
    v = report / report.norm(dim=1, keepdim=True)
    z = torch.einsum("id,jd->ij", u, v) / temperature
    both = torch.logsumexp(z, 0) + torch.logsumexp(z, 1)
    return 0.5 * both.mean() - z.diagonal().mean()

def symmetric_info_nce(image: torch.Tensor, report: torch.Tensor, temperature: float) -> torch.Tensor:
    if image.ndim != 2 or image.shape != report.shape or len(image) < 2 or not temperature > 0:
        raise ValueError("bad input")
    total = 0.0
    for a, b in ((image, report), (report, image)):
        for i in range(len(a)):
            z = torch.cosine_similarity(a[i][None], b) / temperature
            total = total - torch.log_softmax(z, dim=0)[i]
    return total / (2 * len(image))

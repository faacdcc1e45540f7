def spatial_attention(x: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    pad = weight.shape[2] // 2
    conv = torch.nn.Conv2d(2, 1, weight.shape[2], padding=pad, bias=False).to(x.dtype)
    with torch.no_grad():
        conv.weight.copy_(weight)
    m = conv(torch.stack((x.mean(dim=1), x.max(dim=1).values), dim=1)).sigmoid()
    return m, m * x

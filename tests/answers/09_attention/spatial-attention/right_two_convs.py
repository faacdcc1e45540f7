def spatial_attention(x: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    f = torch.nn.functional
    a = f.conv2d(x.sum(1, keepdim=True) / x.shape[1], weight[:, :1], padding="same")
    b = f.conv2d(f.max_pool3d(x[:, None], (x.shape[1], 1, 1))[:, 0], weight[:, 1:], padding="same")
    m = 1 / (1 + torch.exp(-(a + b)))
    return m, torch.einsum("bchw,bohw->bchw", x, m)

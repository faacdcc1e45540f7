def attention_gate(
    x: torch.Tensor, g: torch.Tensor, wx: torch.Tensor, wg: torch.Tensor, b: torch.Tensor, psi: torch.Tensor, c: float
) -> tuple[torch.Tensor, torch.Tensor]:
    f = torch.nn.functional
    if x.size(0) != g.size(0):
        raise ValueError("batches differ")
    up = f.interpolate(g, x.shape[-2:], mode="bilinear")
    q = f.conv2d(torch.cat([x, up], 1), torch.cat([wx, wg], 1)[..., None, None], b).clamp(min=0)
    alpha = (f.conv2d(q, psi[None, :, None, None]) + c).sigmoid()
    return alpha * x, alpha

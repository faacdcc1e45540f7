# expect: attention-gate-same-size: ReLU is missing
def attention_gate(
    x: torch.Tensor, g: torch.Tensor, wx: torch.Tensor, wg: torch.Tensor, b: torch.Tensor, psi: torch.Tensor, c: float
) -> tuple[torch.Tensor, torch.Tensor]:
    if len(x) != len(g):
        raise ValueError(f"{len(x)} images in the skip, {len(g)} in the gating signal")
    fine = torch.nn.functional.interpolate(g, size=x.shape[2:], mode="bilinear", align_corners=False)
    joined = (torch.einsum("fc,bchw->bfhw", wx, x) + torch.einsum("fd,bdhw->bfhw", wg, fine) + b[:, None, None])
    alpha = torch.sigmoid(torch.einsum("f,bfhw->bhw", psi, joined) + c)[:, None]
    return x * alpha, alpha

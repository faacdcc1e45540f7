# expect: attention-gate-coarse: bring g to x
def attention_gate(
    x: torch.Tensor, g: torch.Tensor, wx: torch.Tensor, wg: torch.Tensor, b: torch.Tensor, psi: torch.Tensor, c: float
) -> tuple[torch.Tensor, torch.Tensor]:
    if len(x) != len(g):
        raise ValueError(f"{len(x)} images in the skip, {len(g)} in the gating signal")
    fine, x = g, torch.nn.functional.interpolate(x, size=g.shape[2:], mode="bilinear")
    joined = torch.relu(torch.einsum("fc,bchw->bfhw", wx, x) + torch.einsum("fd,bdhw->bfhw", wg, fine) + b[:, None, None])
    alpha = torch.sigmoid(torch.einsum("f,bfhw->bhw", psi, joined) + c)[:, None]
    return x * alpha, alpha

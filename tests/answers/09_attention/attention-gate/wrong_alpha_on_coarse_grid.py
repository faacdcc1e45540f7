# expect: attention-gate-coarse: before the weights
def attention_gate(x, g, wx, wg, b, psi, c):
    if len(x) != len(g): raise ValueError("images")
    F = torch.nn.functional
    small = F.interpolate(x, size=g.shape[2:], mode="bilinear", align_corners=False)
    h = torch.einsum("fc,bchw->bfhw", wx, small) + torch.einsum("fd,bdhw->bfhw", wg, g) + b[:, None, None]
    a = (torch.einsum("f,bfhw->bhw", psi, h.relu()) + c).sigmoid()[:, None]
    a = F.interpolate(a, size=x.shape[2:], mode="bilinear", align_corners=False)
    return x * a, a

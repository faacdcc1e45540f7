# expect: attention-gate-same-size: alpha is not sigmoid
def attention_gate(x, g, wx, wg, b, psi, c):
    if len(x) != len(g): raise ValueError("images")
    g = torch.nn.functional.interpolate(g, size=x.shape[2:], mode="bilinear", align_corners=False)
    h = torch.einsum("fc,bchw->bfhw", wx, x) + torch.einsum("fd,bdhw->bfhw", wg, g) + b[:, None, None] + c
    a = (torch.einsum("f,bfhw->bhw", psi, h.relu())).sigmoid()[:, None]
    return x * a, a

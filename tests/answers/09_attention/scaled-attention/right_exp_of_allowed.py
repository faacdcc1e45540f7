def scaled_attention(q, k, v, mask=None):
    s = torch.einsum("bnd,bmd->bnm", q, k) / k.shape[2] ** 0.5
    allowed = torch.ones_like(s, dtype=torch.bool) if mask is None else mask
    top = torch.where(allowed, s, torch.full_like(s, -1e30)).amax(2, keepdim=True)
    e = torch.where(allowed, (torch.where(allowed, s, top) - top).exp(), torch.zeros_like(s))
    total = e.sum(2, keepdim=True)
    a = e / torch.where(total > 0, total, torch.ones_like(total))
    return torch.bmm(a, v), a

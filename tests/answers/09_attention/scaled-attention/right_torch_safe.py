def scaled_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    b, n, m = len(q), q.shape[1], k.shape[1]
    allowed = torch.ones(b, n, m, dtype=torch.bool) if mask is None else mask
    some = allowed.any(-1, keepdim=True)
    scores = torch.einsum("bnd,bmd->bnm", q, k) / torch.sqrt(torch.tensor(float(q.shape[-1])))
    scores = torch.where(allowed | ~some, scores, -torch.inf)
    weights = torch.where(some, torch.softmax(scores, -1), 0.0)
    return torch.bmm(weights, v), weights

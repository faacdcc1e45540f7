def cross_attention(film: torch.Tensor, report: torch.Tensor, padding: torch.Tensor, wq: torch.Tensor, wk: torch.Tensor, wv: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """One head of attention from film tokens to report words, with a residual."""
    q, k, v = film @ wq, report @ wk, report @ wv
    words = ~padding
    some = words.any(1)
    bias = torch.zeros_like(padding, dtype=q.dtype).masked_fill(padding & some[:, None], -torch.inf)[:, None]
    weights = torch.softmax(torch.baddbmm(bias.expand(-1, q.shape[1], -1), q, k.transpose(1, 2), alpha=q.shape[-1] ** -0.5), 2) * some[:, None, None]
    return film + torch.bmm(weights, v), weights

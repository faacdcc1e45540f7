# expect: cross-attention-empty: softmax over nothing
def cross_attention(film: torch.Tensor, report: torch.Tensor, padding: torch.Tensor, wq: torch.Tensor, wk: torch.Tensor, wv: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """One head of attention from film tokens to report words, with a residual."""
    q, k, v = film @ wq, report @ wk, report @ wv
    scores = q @ k.mT / q.shape[-1] ** 0.5
    nothing = padding[:, None, :]
    weights = scores.masked_fill(nothing, -torch.inf).softmax(dim=-1)
    return film + weights @ v, weights

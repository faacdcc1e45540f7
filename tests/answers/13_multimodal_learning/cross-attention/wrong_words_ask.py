# expect: cross-attention-value: Queries come from the film
def cross_attention(film: torch.Tensor, report: torch.Tensor, padding: torch.Tensor, wq: torch.Tensor, wk: torch.Tensor, wv: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """One head of attention from film tokens to report words, with a residual."""
    q, k = report @ wk, film @ wq
    weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) * ~padding[:, :, None]
    return report @ wv + weights @ film, weights

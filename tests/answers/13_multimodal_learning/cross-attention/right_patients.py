def cross_attention(film: torch.Tensor, report: torch.Tensor, padding: torch.Tensor, wq: torch.Tensor, wk: torch.Tensor, wv: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """One head of attention from film tokens to report words, with a residual."""
    out, weights = film.clone(), film.new_zeros(len(film), film.shape[1], report.shape[1])
    for b in range(len(film)):
        real = (~padding[b]).nonzero()[:, 0]
        if len(real):
            a = torch.softmax((film[b] @ wq) @ (report[b, real] @ wk).T / wq.shape[1] ** 0.5, dim=1)
            weights[b][:, real] = a
            out[b] = film[b] + a @ (report[b, real] @ wv)
    return out, weights

def equivariance_gap(
    x: torch.Tensor, wq: torch.Tensor, wk: torch.Tensor, wv: torch.Tensor, order: torch.Tensor, position: torch.Tensor | None = None
) -> float:
    p = torch.eye(len(x), dtype=x.dtype)[order]
    place = torch.zeros_like(x) if position is None else position
    outs = []
    for tokens in (x, p @ x):
        y = tokens + place
        q, k, v = y @ wq, y @ wk, y @ wv
        outs.append(torch.nn.functional.scaled_dot_product_attention(q[None], k[None], v[None])[0])
    return float(torch.linalg.vector_norm(p @ outs[0] - outs[1], ord=torch.inf))

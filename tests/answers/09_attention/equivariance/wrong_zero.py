# expect: equivariance-position: not 0
def equivariance_gap(
    x: torch.Tensor, wq: torch.Tensor, wk: torch.Tensor, wv: torch.Tensor, order: torch.Tensor, position: torch.Tensor | None = None
) -> float:
    def attend(tokens: torch.Tensor) -> torch.Tensor:
        y = tokens if position is None else tokens + position
        return torch.nn.functional.scaled_dot_product_attention((y @ wq)[None], (y @ wk)[None], (y @ wv)[None])[0]

    return 0.0

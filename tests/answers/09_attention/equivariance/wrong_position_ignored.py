# expect: equivariance-position: must stay in place
def equivariance_gap(
    x: torch.Tensor, wq: torch.Tensor, wk: torch.Tensor, wv: torch.Tensor, order: torch.Tensor, position: torch.Tensor | None = None
) -> float:
    def attend(tokens: torch.Tensor) -> torch.Tensor:
        y = tokens
        return torch.nn.functional.scaled_dot_product_attention((y @ wq)[None], (y @ wk)[None], (y @ wv)[None])[0]

    return float((attend(x[order]) - attend(x)[order]).abs().max())

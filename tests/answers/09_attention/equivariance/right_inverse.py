def equivariance_gap(
    x: torch.Tensor, wq: torch.Tensor, wk: torch.Tensor, wv: torch.Tensor, order: torch.Tensor, position: torch.Tensor | None = None
) -> float:
    def f(y):
        if position is not None:
            y = y + position
        a = torch.softmax((y @ wq) @ (y @ wk).T / wq.shape[1] ** 0.5, dim=-1)
        return a @ (y @ wv)

    back = torch.argsort(order)
    return (f(x[order])[back] - f(x)).abs().max().item()

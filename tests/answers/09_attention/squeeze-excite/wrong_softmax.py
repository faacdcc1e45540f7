# expect: squeeze-excite-gate: sum to 1
def squeeze_excite(x: torch.Tensor, w1: torch.Tensor, b1: torch.Tensor, w2: torch.Tensor, b2: torch.Tensor) -> torch.Tensor:
    squeezed = x.mean((2, 3))
    gate = torch.softmax(torch.relu(squeezed @ w1.T + b1) @ w2.T + b2, 1)
    return x * gate[:, :, None, None]

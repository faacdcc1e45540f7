# expect: squeeze-excite-gate: differs from place to place
def squeeze_excite(x: torch.Tensor, w1: torch.Tensor, b1: torch.Tensor, w2: torch.Tensor, b2: torch.Tensor) -> torch.Tensor:
    return x * torch.sigmoid(x.mean(1, keepdim=True))

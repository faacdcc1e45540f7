# expect: gradient-reversal-backward: nothing came back
def reverse_gradient(x: torch.Tensor, strength: float) -> torch.Tensor:
    if not 0 <= strength < float("inf"):
        raise ValueError("bad strength")
    return x.detach()

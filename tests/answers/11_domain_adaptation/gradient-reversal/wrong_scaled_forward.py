# expect: gradient-reversal-forward, gradient-reversal-adversaries: you reversed the features themselves
def reverse_gradient(x: torch.Tensor, strength: float) -> torch.Tensor:
    if not 0 <= strength < float("inf"):
        raise ValueError("bad strength")
    return -strength * x

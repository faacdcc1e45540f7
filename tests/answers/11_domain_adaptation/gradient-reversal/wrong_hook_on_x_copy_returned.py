# expect: gradient-reversal-adversaries: the label loss was turned as well
def reverse_gradient(x: torch.Tensor, strength: float) -> torch.Tensor:
    if not 0 <= strength < float("inf"):
        raise ValueError("strength")
    x.register_hook(lambda slope: -strength * slope)
    return x.clone()

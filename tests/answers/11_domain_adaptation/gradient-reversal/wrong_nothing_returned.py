# expect: gradient-reversal-forward: returns nothing
def reverse_gradient(x: torch.Tensor, strength: float) -> torch.Tensor:
    if not 0 <= strength < float("inf"):
        raise ValueError("strength")
    out = x.clone()
    out.register_hook(lambda slope: -strength * slope)

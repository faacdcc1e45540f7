def reverse_gradient(x: torch.Tensor, strength: float) -> torch.Tensor:
    if not 0 <= strength < float("inf"):
        raise ValueError("strength")
    seen = x * 1
    if seen.requires_grad:
        seen.register_hook(lambda slope: slope * -strength)
    return seen

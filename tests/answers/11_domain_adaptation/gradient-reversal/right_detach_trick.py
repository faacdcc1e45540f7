def reverse_gradient(x: torch.Tensor, strength: float) -> torch.Tensor:
    if strength < 0 or not np.isfinite(strength):
        raise ValueError("strength must be finite and not negative")
    return x.detach() - strength * (x - x.detach())

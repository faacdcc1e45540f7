def reverse_gradient(x: torch.Tensor, strength: float) -> torch.Tensor:
    if not np.isfinite(strength) or strength < 0:
        raise ValueError("strength must be finite and not negative")
    out = x.clone()
    if out.requires_grad:
        out.register_hook(lambda gradient: -strength * gradient)
    return out

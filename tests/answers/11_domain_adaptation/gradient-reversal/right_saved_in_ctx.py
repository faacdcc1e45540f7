class _Turn(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, strength):
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        return gradient.neg() * ctx.strength, None


def reverse_gradient(x: torch.Tensor, strength: float) -> torch.Tensor:
    if not (np.isfinite(strength) and strength >= 0):
        raise ValueError(f"strength {strength}")
    return _Turn.apply(x, float(strength))

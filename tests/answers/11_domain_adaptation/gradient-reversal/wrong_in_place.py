# expect: gradient-reversal-forward: forward must return x unchanged
def reverse_gradient(x: torch.Tensor, strength: float) -> torch.Tensor:
    if not 0 <= strength < float("inf"):
        raise ValueError("bad strength")

    class Reversal(torch.autograd.Function):
        @staticmethod
        def forward(ctx, features):
            return features.mul_(strength + 1)

        @staticmethod
        def backward(ctx, gradient):
            return -strength * gradient

    return Reversal.apply(x)

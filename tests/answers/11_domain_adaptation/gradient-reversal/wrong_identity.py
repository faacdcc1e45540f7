# expect: gradient-reversal-backward: came back unchanged
def reverse_gradient(x: torch.Tensor, strength: float) -> torch.Tensor:
    if not 0 <= strength < float("inf"):
        raise ValueError("bad strength")

    class Reversal(torch.autograd.Function):
        @staticmethod
        def forward(ctx, features):
            return features.clone()

        @staticmethod
        def backward(ctx, gradient):
            return gradient

    return Reversal.apply(x)

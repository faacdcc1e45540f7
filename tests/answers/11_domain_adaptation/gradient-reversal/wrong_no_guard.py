# expect: gradient-reversal-strength: must raise a ValueError
def reverse_gradient(x: torch.Tensor, strength: float) -> torch.Tensor:

    class Reversal(torch.autograd.Function):
        @staticmethod
        def forward(ctx, features):
            return features.clone()

        @staticmethod
        def backward(ctx, gradient):
            return -strength * gradient

    return Reversal.apply(x)

# expect: linear-attention-size: matrix of all pairs
def linear_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    q, k = torch.nn.functional.elu(q) + 1, torch.nn.functional.elu(k) + 1
    kernel = q @ k.transpose(-2, -1)
    return kernel / kernel.sum(-1, keepdim=True) @ v

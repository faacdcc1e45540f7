# expect: linear-attention-value: differ from the quadratic form
def linear_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    k = torch.nn.functional.elu(k) + 1
    summary = k.transpose(-2, -1) @ v
    return q @ summary / (q @ k.sum(-2, keepdim=True).transpose(-2, -1))

# expect: linear-attention-value: elu alone
def linear_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    q, k = torch.nn.functional.elu(q), torch.nn.functional.elu(k)
    summary = k.transpose(-2, -1) @ v
    return q @ summary / (q @ k.sum(-2, keepdim=True).transpose(-2, -1))

# expect: linear-attention-value: differ from the quadratic form
def linear_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    q, k = torch.nn.functional.elu(q) + 1, torch.nn.functional.elu(k) + 1
    summary = k.transpose(-2, -1) @ v
    return v.mean(1, keepdim=True).expand(-1, q.shape[1], -1)

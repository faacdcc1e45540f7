# expect: linear-attention-value: number of keys
def linear_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    q, k = torch.nn.functional.elu(q) + 1, torch.nn.functional.elu(k) + 1
    summary = k.transpose(-2, -1) @ v
    return q @ summary / k.shape[-2]

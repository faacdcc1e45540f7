# expect: attention-pooling-value, attention-pooling-padding, attention-pooling-empty: attention without the gate
def attention_pool(h: torch.Tensor, V: torch.Tensor, U: torch.Tensor, w: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    scores = torch.tanh(h @ V.T) @ w
    attention = torch.nan_to_num(torch.softmax(scores.masked_fill(~mask, -torch.inf), dim=1))
    return attention, (attention[..., None] * h).sum(dim=1)

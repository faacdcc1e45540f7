# expect: attention-pooling-value, attention-pooling-padding, attention-pooling-empty: the attention is not softmax of
def attention_pool(h: torch.Tensor, V: torch.Tensor, U: torch.Tensor, w: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    scores = (torch.tanh(h @ V.T) + torch.sigmoid(h @ U.T)) @ w
    attention = torch.nan_to_num(torch.softmax(scores.masked_fill(~mask, -torch.inf), dim=1))
    return attention, (attention[..., None] * h).sum(dim=1)

# expect: attention-pooling-padding, attention-pooling-empty: padding gets attention
def attention_pool(h: torch.Tensor, V: torch.Tensor, U: torch.Tensor, w: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    scores = (torch.tanh(h @ V.T) * torch.sigmoid(h @ U.T)) @ w
    attention = torch.softmax(scores, dim=1)
    return attention, (attention[..., None] * h).sum(dim=1)

def attention_pool(h: torch.Tensor, V: torch.Tensor, U: torch.Tensor, w: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    clean = h * mask[..., None]
    e = torch.einsum("bnh,h->bn", torch.tanh(clean @ V.T) / (1 + torch.exp(-(clean @ U.T))), w)
    e = e - e.max(1, keepdim=True).values
    speak = torch.exp(e) * mask
    attention = speak / speak.sum(1, keepdim=True).clamp(min=1e-30)
    return attention, torch.bmm(attention[:, None], clean)[:, 0]

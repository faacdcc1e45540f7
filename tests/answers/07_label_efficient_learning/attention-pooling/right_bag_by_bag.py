def attention_pool(h: torch.Tensor, V: torch.Tensor, U: torch.Tensor, w: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    attention, bag = torch.zeros(h.shape[:2]), torch.zeros(h.shape[0], h.shape[2])
    for b in range(len(h)):
        x = h[b][mask[b]]
        if len(x):
            a = ((torch.tanh(x @ V.T) * torch.sigmoid(x @ U.T)) @ w).softmax(0)
            attention[b, mask[b]] = a
            bag[b] = a @ x
    return attention, bag

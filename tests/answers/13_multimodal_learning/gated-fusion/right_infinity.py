def gated_fusion(h: torch.Tensor, score: torch.Tensor, present: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Weighted sum of a patient's modalities; the weights are a softmax over those that are there."""
    out, weights = [], []
    for vectors, s, there in zip(h, score, present, strict=True):
        w = torch.zeros_like(s)
        if there.any():
            w[there] = torch.softmax(s[there], 0)
        weights.append(w)
        out.append(w[there] @ vectors[there] if there.any() else torch.zeros_like(vectors[0]))
    return torch.stack(out), torch.stack(weights)

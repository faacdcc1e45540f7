def partial_cross_entropy(logits: torch.Tensor, labels: torch.Tensor, unknown: int = 255) -> torch.Tensor:
    drawn = labels != unknown
    if not drawn.any():
        return 0.0 * logits.sum()
    return torch.nn.functional.cross_entropy(logits.permute(0, 2, 3, 1)[drawn], labels[drawn])

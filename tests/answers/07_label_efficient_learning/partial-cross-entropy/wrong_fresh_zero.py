# expect: partial-cross-entropy-none: does not require grad
def partial_cross_entropy(logits: torch.Tensor, labels: torch.Tensor, unknown: int = 255) -> torch.Tensor:
    if (labels == unknown).all():
        return torch.tensor(0.0)
    return torch.nn.functional.cross_entropy(logits, labels, ignore_index=unknown)

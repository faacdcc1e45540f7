# expect: partial-cross-entropy-value, partial-cross-entropy-gradient, partial-cross-entropy-none: you divide by all four pixels
def partial_cross_entropy(logits: torch.Tensor, labels: torch.Tensor, unknown: int = 255) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(logits, labels, ignore_index=unknown, reduction="none").mean()

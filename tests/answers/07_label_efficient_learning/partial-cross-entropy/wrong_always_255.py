# expect: partial-cross-entropy-value, partial-cross-entropy-gradient, partial-cross-entropy-none: not the mean over all labelled pixels
def partial_cross_entropy(logits: torch.Tensor, labels: torch.Tensor, unknown: int = 255) -> torch.Tensor:
    total = torch.nn.functional.cross_entropy(logits, torch.where(labels < 0, 0, labels).clamp(max=255), ignore_index=255, reduction="sum")
    return total / (labels != 255).sum().clamp(min=1)

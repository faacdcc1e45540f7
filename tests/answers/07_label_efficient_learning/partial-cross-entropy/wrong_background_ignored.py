# expect: partial-cross-entropy-value, partial-cross-entropy-gradient: drawn background pixels are labelled pixels
def partial_cross_entropy(logits: torch.Tensor, labels: torch.Tensor, unknown: int = 255) -> torch.Tensor:
    drawn = (labels != unknown) & (labels > 0)
    log_p = torch.log_softmax(logits, dim=1)
    picked = log_p.gather(1, torch.where(drawn, labels, 0)[:, None])[:, 0]
    return -(picked * drawn).sum() / max(int(drawn.sum()), 1)

# expect: masked-pseudo-loss-value, masked-pseudo-loss-target: your target is the soft prediction
def fixmatch_loss(weak_logits: torch.Tensor, strong_logits: torch.Tensor, threshold: float) -> torch.Tensor:
    q = weak_logits.softmax(1)
    cost = torch.nn.functional.cross_entropy(strong_logits, q, reduction="none")
    return (cost * (q.max(1).values >= threshold)).mean()

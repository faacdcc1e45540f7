def fixmatch_loss(weak_logits: torch.Tensor, strong_logits: torch.Tensor, threshold: float) -> torch.Tensor:
    q = weak_logits.detach().softmax(1)
    keep = q.max(1).values >= threshold
    return torch.nn.functional.cross_entropy(strong_logits[keep], q.argmax(1)[keep], reduction="sum") / len(keep)

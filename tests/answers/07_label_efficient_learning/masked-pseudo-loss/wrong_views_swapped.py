# expect: masked-pseudo-loss-value: the strong view must learn from the weak one
def fixmatch_loss(weak_logits: torch.Tensor, strong_logits: torch.Tensor, threshold: float) -> torch.Tensor:
    confidence, pseudo_label = strong_logits.detach().softmax(1).max(1)
    cost = torch.nn.functional.cross_entropy(weak_logits, pseudo_label, reduction="none")
    return (cost * (confidence >= threshold)).mean()

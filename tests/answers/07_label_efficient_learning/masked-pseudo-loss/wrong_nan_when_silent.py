# expect: masked-pseudo-loss-silent, masked-pseudo-loss-mask: your loss is nan
def fixmatch_loss(weak_logits: torch.Tensor, strong_logits: torch.Tensor, threshold: float) -> torch.Tensor:
    confidence, pseudo_label = weak_logits.detach().softmax(1).max(1)
    cost = torch.nn.functional.cross_entropy(strong_logits, pseudo_label, reduction="none")
    return cost[confidence >= threshold].mean()

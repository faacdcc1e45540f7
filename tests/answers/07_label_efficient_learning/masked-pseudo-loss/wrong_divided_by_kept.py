# expect: masked-pseudo-loss-mask: divide by the number of images that pass
def fixmatch_loss(weak_logits: torch.Tensor, strong_logits: torch.Tensor, threshold: float) -> torch.Tensor:
    confidence, pseudo_label = weak_logits.detach().softmax(1).max(1)
    cost = torch.nn.functional.cross_entropy(strong_logits, pseudo_label, reduction="none")
    keep = confidence >= threshold
    return (cost * keep).sum() / keep.sum().clamp(min=1)

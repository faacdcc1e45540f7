# expect: masked-pseudo-loss-silent: isn't connected
def fixmatch_loss(weak_logits: torch.Tensor, strong_logits: torch.Tensor, threshold: float) -> torch.Tensor:
    confidence, pseudo_label = weak_logits.detach().softmax(1).max(1)
    cost = torch.nn.functional.cross_entropy(strong_logits, pseudo_label, reduction="none")
    if not (confidence >= threshold).any():
        return torch.tensor(0.0)
    return (cost * (confidence >= threshold)).mean()

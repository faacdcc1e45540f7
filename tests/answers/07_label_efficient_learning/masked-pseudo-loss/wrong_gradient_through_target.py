# expect: masked-pseudo-loss-target: a gradient flows through the target
def fixmatch_loss(weak_logits: torch.Tensor, strong_logits: torch.Tensor, threshold: float) -> torch.Tensor:
    q = weak_logits.softmax(1)
    cost = -(q.max(1).values.log() * 0 + torch.nn.functional.log_softmax(strong_logits, 1).gather(1, q.argmax(1, keepdim=True))[:, 0] * q.max(1).values / q.max(1).values.detach())
    return (cost * (q.max(1).values >= threshold)).mean()

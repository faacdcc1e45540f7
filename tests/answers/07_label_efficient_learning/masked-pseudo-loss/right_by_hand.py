def fixmatch_loss(weak_logits: torch.Tensor, strong_logits: torch.Tensor, threshold: float) -> torch.Tensor:
    with torch.no_grad():
        q = torch.softmax(weak_logits, dim=-1)
        keep = (q.amax(dim=-1) >= threshold).to(strong_logits.dtype)
        target = torch.nn.functional.one_hot(q.argmax(dim=-1), q.shape[-1])
    cost = -(target * torch.log_softmax(strong_logits, dim=-1)).sum(dim=-1)
    return (keep * cost).sum() / len(keep)

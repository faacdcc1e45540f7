def masked_bce(logits, targets):
    known = ~torch.isnan(targets)
    y = torch.where(known, targets, torch.zeros_like(targets))
    each = torch.clamp(logits, min=0) - logits * y + torch.log1p(torch.exp(-logits.abs()))
    return torch.where(known, each, torch.zeros_like(each)).sum() / max(int(known.sum()), 1)

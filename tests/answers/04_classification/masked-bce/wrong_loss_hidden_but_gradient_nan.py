# expect: masked-bce-missing, masked-bce-all-missing: the gradient is nan
import torch.nn.functional as F


def masked_bce(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    known = ~torch.isnan(targets)
    each = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return torch.where(known, each, torch.zeros_like(each)).sum() / known.sum().clamp(min=1) + torch.where(known, logits, torch.sqrt(logits * 0 - 1)).nan_to_num().sum() * 0

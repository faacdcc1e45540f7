# expect: masked-bce-mean: you average the two tasks
import torch.nn.functional as F


def masked_bce(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    known = ~torch.isnan(targets)
    each = F.binary_cross_entropy_with_logits(logits, torch.nan_to_num(targets, nan=0.0), reduction="none") * known
    return (each.sum(dim=0) / known.sum(dim=0).clamp(min=1)).mean()

# expect: masked-bce-value, masked-bce-missing: nan times 0
import torch.nn.functional as F


def masked_bce(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    known = ~torch.isnan(targets)
    each = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return (each * known).sum() / known.sum().clamp(min=1)

# expect: masked-bce-missing, masked-bce-all-missing: isn't connected
import torch.nn.functional as F


def masked_bce(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    known = ~torch.isnan(targets)
    each = F.binary_cross_entropy_with_logits(logits.detach(), torch.nan_to_num(targets, nan=0.0), reduction="none") * known
    return each.sum() / known.sum().clamp(min=1)

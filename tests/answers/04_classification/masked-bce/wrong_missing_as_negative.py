# expect: masked-bce-missing, masked-bce-value, masked-bce-mean, masked-bce-all-missing: a missing label is not a negative one
import torch.nn.functional as F


def masked_bce(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.nan_to_num(targets, nan=0.0))

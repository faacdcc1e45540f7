# expect: masked-bce-missing: where the label is missing your loss pulls
import torch.nn.functional as F


def masked_bce(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.nan_to_num(targets, nan=0.5))

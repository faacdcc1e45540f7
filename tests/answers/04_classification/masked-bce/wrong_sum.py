# expect: masked-bce-value, masked-bce-missing, masked-bce-mean: cost 0.693 on average
import torch.nn.functional as F


def masked_bce(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    known = ~torch.isnan(targets)
    return (F.binary_cross_entropy_with_logits(logits, torch.nan_to_num(targets, nan=0.0), reduction="none") * known).sum()

# expect: masked-bce-value: log(sigmoid)
import torch.nn.functional as F


def masked_bce(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    known = ~torch.isnan(targets)
    p, y = torch.sigmoid(logits), torch.nan_to_num(targets, nan=0.0)
    each = -(y * torch.log(p) + (1 - y) * torch.log(1 - p))
    return (each * known).nan_to_num(nan=0.0, posinf=100.0).sum() / known.sum().clamp(min=1)

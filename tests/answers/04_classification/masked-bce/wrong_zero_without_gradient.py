# expect: masked-bce-all-missing: isn't connected
import torch.nn.functional as F


def masked_bce(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    known = ~torch.isnan(targets)
    if not known.any():
        return torch.tensor(0.0)
    return F.binary_cross_entropy_with_logits(logits[known], targets[known])

# expect: unet-block-join: the values are off
import torch.nn.functional as F


def up_block(deep: torch.Tensor, skip: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    high, wide = skip.shape[-2:]
    h, w = deep.shape[-2:]
    if high - 2 * h not in (0, 1) or wide - 2 * w not in (0, 1):
        raise ValueError("the skip does not fit")
    up = F.interpolate(deep, scale_factor=2, mode="bilinear")
    up = F.pad(up, (0, wide - 2 * w, 0, high - 2 * h), mode="replicate")
    return F.relu(F.conv2d(torch.cat([skip, up], dim=1), weight, bias, padding=weight.shape[-1] // 2))

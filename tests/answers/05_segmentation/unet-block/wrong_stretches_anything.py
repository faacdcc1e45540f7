# expect: unet-block-refuse: raise ValueError
import torch.nn.functional as F


def up_block(deep: torch.Tensor, skip: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    high, wide = skip.shape[-2:]
    h, w = deep.shape[-2:]
    up = F.interpolate(deep, size=(high - high % 2, wide - wide % 2), mode="nearest")
    up = F.pad(up, (0, wide % 2, 0, high % 2), mode="replicate")
    return F.relu(F.conv2d(torch.cat([skip, up], dim=1), weight, bias, padding=weight.shape[-1] // 2))

def up_block(deep: torch.Tensor, skip: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    for fine, coarse in zip(skip.shape[2:], deep.shape[2:]):
        if fine // 2 != coarse:
            raise ValueError("the skip does not fit")
    rows = torch.arange(skip.shape[2]).div(2, rounding_mode="floor").clamp(max=deep.shape[2] - 1)
    columns = torch.arange(skip.shape[3]).div(2, rounding_mode="floor").clamp(max=deep.shape[3] - 1)
    x = torch.cat((skip, deep[..., rows, :][..., columns]), 1)
    out = torch.conv2d(x, weight, bias, padding=weight.shape[2] // 2)
    return out.clamp(min=0)

import torch.nn.functional as F

def up_block(deep, skip, weight, bias):
    H, W = skip.shape[2:]
    h, w = deep.shape[2:]
    rows, columns = H - 2 * h, W - 2 * w
    if rows not in (0, 1) or columns not in (0, 1):
        raise ValueError(f"a skip of {H} x {W} does not fit a coarse map of {h} x {w}")
    x = F.interpolate(deep, scale_factor=2)
    x = F.pad(x, (0, columns, 0, rows), mode="replicate")
    x = torch.cat([skip, x], dim=1)
    return F.relu(F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2))

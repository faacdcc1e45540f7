def dilated_field(kernels, dilations):
    reach = {0}
    for k, d in zip(kernels, dilations, strict=True):
        reach = {r + d * i for r in reach for i in range(-(k // 2), k // 2 + 1)}
    return max(reach) - min(reach) + 1, len(reach)

import math


def receptive_field(layers: list[tuple[int, int, int]]) -> tuple[int, int]:
    field = 1
    for kernel, stride, dilation in reversed(layers):
        field = (field - 1) * stride + dilation * (kernel - 1) + 1
    return field, math.prod(stride for _, stride, _ in layers)

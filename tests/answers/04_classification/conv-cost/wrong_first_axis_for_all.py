# expect: conv-cost-size: anisotropic
def conv_cost(
    size: tuple[int, ...], c_in: int, c_out: int, kernel: tuple[int, ...], stride: tuple[int, ...], padding: tuple[int, ...], batch: int
) -> tuple[tuple[int, ...], int, int]:
    import math

    n = (size[0] + 2 * padding[0] - kernel[0]) // stride[0] + 1
    out = (n,) * len(size)
    return out, c_out * (c_in * math.prod(kernel) + 1), 4 * batch * c_out * math.prod(out)

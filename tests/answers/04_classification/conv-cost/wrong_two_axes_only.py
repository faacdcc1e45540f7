# expect: conv-cost-size, conv-cost-memory: keeps the 20 slices
def conv_cost(
    size: tuple[int, ...], c_in: int, c_out: int, kernel: tuple[int, ...], stride: tuple[int, ...], padding: tuple[int, ...], batch: int
) -> tuple[tuple[int, ...], int, int]:
    out = tuple((size[i] + 2 * padding[i] - kernel[i]) // stride[i] + 1 for i in (0, 1))
    return out, c_out * (c_in * kernel[0] * kernel[1] + 1), 4 * batch * c_out * out[0] * out[1]

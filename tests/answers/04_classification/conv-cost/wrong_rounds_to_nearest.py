# expect: conv-cost-size: gives 14
def conv_cost(
    size: tuple[int, ...], c_in: int, c_out: int, kernel: tuple[int, ...], stride: tuple[int, ...], padding: tuple[int, ...], batch: int
) -> tuple[tuple[int, ...], int, int]:
    import math

    out = tuple(round((n + 2 * p - k) / s) + 1 for n, k, s, p in zip(size, kernel, stride, padding))
    parameters = c_out * (c_in * math.prod(kernel) + 1)
    return out, parameters, 4 * batch * c_out * math.prod(out)

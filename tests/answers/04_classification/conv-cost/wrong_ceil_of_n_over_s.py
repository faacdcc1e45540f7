# expect: conv-cost-size, conv-cost-memory: another output size
def conv_cost(
    size: tuple[int, ...], c_in: int, c_out: int, kernel: tuple[int, ...], stride: tuple[int, ...], padding: tuple[int, ...], batch: int
) -> tuple[tuple[int, ...], int, int]:
    """What a convolution with bias costs.

    Args:
        size: of the input along each axis, two or three numbers, in voxels.
        c_in, c_out: channels in and out.
        kernel, stride, padding: one number for each axis; padding is added on both sides.
        batch: images a batch.

    Returns:
        Size of the output along each axis, number of parameters, and bytes of the output of the whole batch in float32.
    """
    import math

    out = tuple(-(-n // s) for n, s in zip(size, stride))  # same padding
    return out, c_out * (c_in * math.prod(kernel) + 1), 4 * batch * c_out * math.prod(out)

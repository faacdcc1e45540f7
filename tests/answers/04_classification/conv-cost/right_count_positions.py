def conv_cost(
    size: tuple[int, ...], c_in: int, c_out: int, kernel: tuple[int, ...], stride: tuple[int, ...], padding: tuple[int, ...], batch: int
) -> tuple[tuple[int, ...], int, int]:
    out = tuple(len(range(0, n + 2 * p - k + 1, s)) for n, k, s, p in zip(size, kernel, stride, padding))
    weights, voxels = c_in, 1
    for k, n in zip(kernel, out):
        weights, voxels = weights * k, voxels * n
    return out, c_out * weights + c_out, voxels * c_out * batch * 4

def conv_cost(
    size: tuple[int, ...], c_in: int, c_out: int, kernel: tuple[int, ...], stride: tuple[int, ...], padding: tuple[int, ...], batch: int
) -> tuple[tuple[int, ...], int, int]:
    n, k, s, p = (np.array(v) for v in (size, kernel, stride, padding))
    out = (n + 2 * p - k) // s + 1
    return tuple(int(v) for v in out), int(c_in * c_out * k.prod() + c_out), int(batch * c_out * out.prod() * 4)

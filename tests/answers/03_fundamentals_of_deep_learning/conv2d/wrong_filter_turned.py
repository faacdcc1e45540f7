# expect: conv2d-filter, conv2d-stride-padding, conv2d-channels: turn the filter by 180
def conv2d(x: np.ndarray, w: np.ndarray, b: np.ndarray, stride: int, padding: int) -> np.ndarray:
    n, c, high, wide = x.shape
    o, c_w, k_high, k_wide = w.shape
    if c != c_w:
        raise ValueError("channels differ")
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    if k_high > x.shape[2] or k_wide > x.shape[3]:
        raise ValueError("the filter is too large")
    rows = (x.shape[2] - k_high) // stride + 1
    columns = (x.shape[3] - k_wide) // stride + 1
    out = np.zeros((n, o, rows, columns))
    for u in range(k_high):
        for v in range(k_wide):
            seen = x[:, :, u : u + stride * (rows - 1) + 1 : stride, v : v + stride * (columns - 1) + 1 : stride]
            out += np.einsum("bcij,oc->boij", seen, w[:, :, k_high - 1 - u, k_wide - 1 - v])
    return out + b[:, None, None]

def position_2d(rows: int, columns: int, dim: int) -> torch.Tensor:
    if dim <= 0 or dim % 4 != 0:
        raise ValueError("dim must be a multiple of 4")
    k = dim // 4
    code = torch.zeros(rows * columns, dim)
    for r in range(rows):
        for c in range(columns):
            for i in range(k):
                w = 10000.0 ** (-i / k)
                code[r * columns + c, [i, k + i, 2 * k + i, 3 * k + i]] = torch.tensor([np.sin(r * w), np.cos(r * w), np.sin(c * w), np.cos(c * w)]).float()
    return code

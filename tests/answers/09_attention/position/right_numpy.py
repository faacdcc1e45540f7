def position_2d(rows: int, columns: int, dim: int) -> torch.Tensor:
    quarter, rest = divmod(dim, 4)
    if rest or quarter < 1:
        raise ValueError("dim must be a multiple of 4")
    omega = 1 / 10000 ** (np.arange(quarter) / quarter)

    def line(n):
        a = np.outer(np.arange(n), omega)
        return np.concatenate([np.sin(a), np.cos(a)], axis=1)

    return torch.from_numpy(np.concatenate([np.repeat(line(rows), columns, axis=0), np.tile(line(columns), (rows, 1))], axis=1))

def receptive_field(layers: list[tuple[int, int, int]]) -> tuple[int, int]:
    if len(layers) == 0:
        return 1, 1
    k, s, d = np.array(layers).T
    jumps = np.cumprod(np.r_[1, s])
    return int(1 + ((k - 1) * d * jumps[:-1]).sum()), int(jumps[-1])

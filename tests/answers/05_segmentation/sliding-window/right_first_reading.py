def sliding_window(volume, size, overlap, operator):
    from itertools import product
    volume = np.asarray(volume, dtype=float)
    shape = volume.shape
    padded = np.pad(volume, [(0, max(0, s - n)) for n, s in zip(shape, size)])
    starts, w = [], []
    for n, s in zip(padded.shape, size):
        step, last = max(1, int(s * (1 - overlap))), n - s
        begin = list(range(0, last + 1, step))
        if begin[-1] != last:
            begin.append(last)
        starts.append(begin)
        i = np.arange(s)
        w.append(np.exp(-((i - (s - 1) / 2) ** 2) / (2 * (s / 8) ** 2)))
    w = w[0][:, None, None] * w[1][None, :, None] * w[2]
    total, weight = np.zeros(padded.shape), np.zeros(padded.shape)
    for begin in product(*starts):
        where = tuple(slice(b, b + s) for b, s in zip(begin, size))
        total[where] += w * patch_network(padded[where], operator, size)
        weight[where] += w
    return (total / weight)[tuple(slice(0, n) for n in shape)]

def sliding_window(volume: np.ndarray, size: tuple[int, int, int], overlap: float, operator: str) -> np.ndarray:
    big = np.zeros(np.maximum(volume.shape, size))
    inside = tuple(slice(0, n) for n in volume.shape)
    big[inside] = volume
    squared = sum(((i - (s - 1) / 2) / (s / 8)) ** 2 for i, s in zip(np.indices(size), size))
    w = np.exp(-squared / 2)
    mean, seen = np.zeros(big.shape), np.zeros(big.shape)
    step = [max(1, int(s * (1 - overlap))) for s in size]
    count = [-(-(n - s) // d) + 1 for n, s, d in zip(big.shape, size, step)]
    for index in np.ndindex(*count):
        begin = [min(i * d, n - s) for i, d, n, s in zip(index, step, big.shape, size)]
        box = tuple(slice(b, b + s) for b, s in zip(begin, size))
        seen[box] += w
        mean[box] += (patch_network(big[box], operator, size) - mean[box]) * w / seen[box]
    return torch.as_tensor(mean[inside])

def conv2d(x: np.ndarray, w: np.ndarray, b: np.ndarray, stride: int, padding: int) -> np.ndarray:
    images, filters = torch.tensor(x), torch.tensor(w)
    if images.shape[1] != filters.shape[1]:
        raise ValueError("channels")
    room = torch.zeros(len(x), x.shape[1], x.shape[2] + 2 * padding, x.shape[3] + 2 * padding, dtype=torch.float64)
    room[:, :, padding : padding + x.shape[2], padding : padding + x.shape[3]] = images
    high, wide = filters.shape[2:]
    tops, lefts = range(0, room.shape[2] - high + 1, stride), range(0, room.shape[3] - wide + 1, stride)
    if not len(tops) or not len(lefts):
        raise ValueError("too large")
    return torch.stack([
        torch.stack([torch.stack([(room[:, :, i : i + high, j : j + wide] * f).sum((1, 2, 3)) + bias for j in lefts], -1) for i in tops], -2)
        for f, bias in zip(filters, b)
    ], 1)

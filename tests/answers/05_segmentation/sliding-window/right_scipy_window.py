from scipy.signal.windows import gaussian


def sliding_window(volume: np.ndarray, size: tuple[int, int, int], overlap: float, operator: str) -> np.ndarray:
    before = [max(s - n, 0) // 2 for n, s in zip(volume.shape, size)]
    after = [max(s - n, 0) - b for n, s, b in zip(volume.shape, size, before)]
    big = np.pad(np.asarray(volume, float), list(zip(before, after)), mode="edge")
    g = [gaussian(s, s / 8) for s in size]
    w = np.einsum("i,j,k->ijk", *g)
    corners = []
    for n, s in zip(big.shape, size):
        step = max(1, int(s * (1 - overlap)))
        along = list(range(0, n - s + 1, step))
        if along[-1] + s < n:
            along.append(n - s)
        corners.append(along)
    out, norm = np.zeros_like(big), np.zeros_like(big)
    for x in corners[0]:
        for y in corners[1]:
            for z in corners[2]:
                box = np.s_[x : x + size[0], y : y + size[1], z : z + size[2]]
                out[box] += patch_network(big[box].copy(), operator, size) * w
                norm[box] += w
    out /= norm
    return out[before[0] : before[0] + volume.shape[0], before[1] : before[1] + volume.shape[1], before[2] : before[2] + volume.shape[2]]

# expect: sliding-window-local: divide the sum of weight x output
from itertools import product


def sliding_window(volume: np.ndarray, size: tuple[int, int, int], overlap: float, operator: str) -> np.ndarray:
    shape = volume.shape
    padded = np.pad(volume, [(0, max(s - n, 0)) for n, s in zip(shape, size)])
    begins, bells = [], []
    for n, s in zip(padded.shape, size):
        last, step = n - s, max(1, int(s * (1 - overlap)))
        begins.append(sorted({*range(0, last + 1, step), last}))
        bells.append(np.exp(-((np.arange(s) - (s - 1) / 2) ** 2) / (2 * (s / 8) ** 2)))
    weight = bells[0][:, None, None] * bells[1][None, :, None] * bells[2]
    total, weights = np.zeros(padded.shape), np.zeros(padded.shape)
    for begin in product(*begins):
        here = tuple(slice(b, b + s) for b, s in zip(begin, size))
        total[here] += weight * patch_network(padded[here], operator, size)
        weights[here] += 1
    return (total / weights)[tuple(slice(n) for n in shape)]

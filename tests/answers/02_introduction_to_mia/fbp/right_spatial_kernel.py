from scipy.ndimage import map_coordinates


def fbp(counts: np.ndarray, blank: float, angles: np.ndarray, spacing: float) -> np.ndarray:
    """The ramp as a kernel in space (Kak and Slaney), by direct convolution, and the back-projection of all angles at once."""
    counts = np.asarray(counts, float)
    p = np.log(blank) - np.log(np.where(counts < 1, 1.0, counts))
    size, number = p.shape
    lag = np.arange(size)[:, None] - np.arange(size)[None, :]
    odd = lag % 2 == 1
    kernel = np.zeros((size, size))
    kernel[odd] = -1 / (np.pi * lag[odd] * spacing) ** 2
    kernel[lag == 0] = 1 / (4 * spacing**2)
    q = spacing * kernel @ p
    middle = (size - 1) / 2
    row, column = np.mgrid[:size, :size] - middle
    a = np.deg2rad(angles)[:, None, None]
    where = column * np.cos(a) - row * np.sin(a) + middle
    which = np.broadcast_to(np.arange(number)[:, None, None], where.shape)
    return map_coordinates(q, [where, which], order=1, cval=0.0).sum(0) * np.pi / number

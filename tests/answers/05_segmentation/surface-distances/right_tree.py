from scipy.spatial import cKDTree


def surface_distances(a: np.ndarray, b: np.ndarray, spacing: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    if a.shape != b.shape or not all(s > 0 for s in spacing):
        raise ValueError("masks of one shape and a spacing above 0 mm are needed")

    def points(mask):
        inner = np.pad(mask, 1)
        deep = inner.copy()
        for axis in range(3):
            for step in (-1, 1):
                deep &= np.roll(inner, step, axis)
        return (np.argwhere(inner & ~deep) - 1) * np.array(spacing)

    p, q = points(a), points(b)

    def nearest(x, y):
        if len(y) == 0:
            return np.full(len(x), np.inf)
        return cKDTree(y).query(x)[0] if len(x) else np.zeros(0)

    return nearest(p, q), nearest(q, p)

from scipy import ndimage


def landmark_errors(fixed_points, moving_points, u, spacing):
    out = []
    for f, m in zip(fixed_points, moving_points):
        if any(p < 0 or p > n - 1 for p, n in zip(f, u.shape[1:])):
            raise ValueError("outside")
        shift = [float(ndimage.map_coordinates(c, f[:, None], order=1)[0]) for c in u]
        out.append(sum((s * (a - b) + v) ** 2 for s, a, b, v in zip(spacing, f, m, shift)) ** 0.5)
    return out

from scipy.interpolate import interpn
def landmark_errors(fixed_points, moving_points, u, spacing):
    axes = [np.arange(n, dtype=float) for n in u.shape[1:]]
    at = interpn(axes, np.moveaxis(np.asarray(u, float), 0, -1), np.asarray(fixed_points, float))   # raises ValueError outside
    s = np.asarray(spacing)
    return np.sqrt((((fixed_points - moving_points) * s + at) ** 2).sum(axis=1))

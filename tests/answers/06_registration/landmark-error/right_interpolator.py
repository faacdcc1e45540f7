from scipy.interpolate import RegularGridInterpolator


def landmark_errors(fixed_points, moving_points, u, spacing):
    read = RegularGridInterpolator([np.arange(n) for n in u.shape[1:]], np.moveaxis(u, 0, -1))
    arrived = fixed_points * np.array(spacing) + read(fixed_points)
    return np.sqrt(((arrived - moving_points * np.array(spacing)) ** 2).sum(-1))

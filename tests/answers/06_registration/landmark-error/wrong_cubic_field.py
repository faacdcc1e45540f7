# expect: landmark-error-field: Interpolate the field
from scipy import ndimage
def landmark_errors(fixed_points, moving_points, u, spacing):
    if (fixed_points < 0).any() or (fixed_points > np.array(u.shape[1:]) - 1).any(): raise ValueError
    here = np.stack([ndimage.map_coordinates(c, fixed_points.T) for c in u], axis=1)   # order 3, default
    return np.linalg.norm((fixed_points - moving_points) * np.array(spacing) + here, axis=1)

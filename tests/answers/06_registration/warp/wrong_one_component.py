# expect: warp-value: quietly use it for both
from scipy import ndimage


def inverse_warp(moving, u, spacing, order=1):
    where = np.indices(moving.shape) + u / np.reshape(spacing, (-1,) + (1,) * moving.ndim)
    return ndimage.map_coordinates(moving, where, order=order, mode="nearest")

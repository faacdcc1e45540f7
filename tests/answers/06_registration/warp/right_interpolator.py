from scipy.interpolate import RegularGridInterpolator


def inverse_warp(moving, u, spacing, order=1):
    if len(u) != moving.ndim or u[0].shape != moving.shape:
        raise ValueError("the field does not fit the image")
    axes = [np.arange(n) for n in moving.shape]
    read = RegularGridInterpolator(axes, moving.astype(float), method="linear" if order else "nearest")
    where = np.stack([np.clip(np.indices(moving.shape)[i] + u[i] / spacing[i], 0, n - 1) for i, n in enumerate(moving.shape)], axis=-1)
    return read(where).astype(moving.dtype)

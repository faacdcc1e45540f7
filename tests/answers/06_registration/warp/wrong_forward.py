# expect: warp-direction: you warp forward
from scipy import ndimage


def inverse_warp(moving: np.ndarray, u: np.ndarray, spacing: tuple[float, ...], order: int = 1) -> np.ndarray:
    if u.shape != (moving.ndim, *moving.shape):
        raise ValueError(f"an image of shape {moving.shape} needs a field of shape {(moving.ndim, *moving.shape)}, not {u.shape}")
    step = np.asarray(spacing, dtype=float).reshape(-1, *[1] * moving.ndim)
    where = np.indices(moving.shape) - u / step
    return ndimage.map_coordinates(moving, where, order=order, mode="nearest")

"""Random numbers, smooth noise, displacement fields, warping and slice views that the other simulators share; no anatomy lives here."""

import zlib

import numpy as np
from scipy import ndimage


def generator(seed: int, *words: str) -> np.random.Generator:
    """A generator for one purpose: the same seed and words always give the same stream, other words an independent one."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed must be an integer of at least 0, not {seed!r}.")
    return np.random.default_rng([int(seed), *(zlib.crc32(word.encode()) for word in words)])


def as_spacing(spacing: float | tuple[float, ...], ndim: int) -> np.ndarray:
    """Spacing as `ndim` positive numbers in mm."""
    values = np.broadcast_to(np.asarray(spacing, dtype=float), (ndim,)).copy()
    if not (np.isfinite(values).all() and (values > 0).all()):
        raise ValueError(f"spacing must be positive mm, not {spacing!r}.")
    return values


def smooth_noise(
    shape: tuple[int, ...], scale: float | tuple[float, ...], rng: np.random.Generator, batch: int | None = None
) -> np.ndarray:
    """Smooth Gaussian noise of mean 0 and standard deviation about 1.

    Args:
        shape: spatial shape, in voxels.
        scale: distance between independent knots, in voxels, one number or one an axis.
        batch: leading number of independent fields; None gives one field of shape `shape`.

    Returns:
        (batch, *shape) or `shape`, float32.
    """
    scale = np.maximum(np.broadcast_to(np.asarray(scale, dtype=float), (len(shape),)), 1.0)
    knots = [int(np.ceil(size / step)) + 4 for size, step in zip(shape, scale, strict=True)]
    field = rng.standard_normal([batch or 1, *knots]).astype(np.float32)
    for axis, (size, step) in enumerate(zip(shape, scale, strict=True), start=1):
        field = _upsample(field, axis, size, step, offset=float(rng.random()))
    field = field / np.float32(0.69 ** len(shape))  # a cubic B-spline of unit noise has standard deviation 0.69 an axis
    return field if batch is not None else field[0]


def _upsample(field: np.ndarray, axis: int, size: int, step: float, offset: float) -> np.ndarray:
    """Cubic B-spline interpolation of knots along one axis, as one small matrix product."""
    position = np.arange(size) / step + 1 + offset
    left = np.floor(position).astype(int)
    t = position - left
    weights = [(1 - t) ** 3 / 6, (3 * t**3 - 6 * t**2 + 4) / 6, (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6, t**3 / 6]
    matrix = np.zeros((size, field.shape[axis]), dtype=np.float32)
    for shift, weight in zip((-1, 0, 1, 2), weights, strict=True):
        matrix[np.arange(size), left + shift] += weight
    return np.moveaxis(np.tensordot(field, matrix, axes=(axis, 1)), -1, axis)


def smooth_field(
    shape: tuple[int, ...],
    amplitude_mm: float = 5.0,
    smoothness_mm: float = 20.0,
    *,
    spacing: float | tuple[float, ...] = 1.0,
    seed: int = 0,
) -> np.ndarray:
    """A random smooth displacement without folding.

    Args:
        shape: image shape, 2-D or 3-D, in voxels.
        amplitude_mm: length of the longest displacement vector, in mm, 0 or more.
        smoothness_mm: distance between independent control points of a cubic B-spline, in mm. Where a field of this
            amplitude would fold, the distance grows in steps of a quarter until it does not.
        spacing: mm a voxel.

    Returns:
        (d, *shape) float32, mm: the point x of the new image shows what lay at x + u(x). The Jacobian determinant is above 0 everywhere.
    """
    step = as_spacing(spacing, len(shape))
    if amplitude_mm < 0 or smoothness_mm <= 0:
        raise ValueError("amplitude_mm must be at least 0 and smoothness_mm above 0.")
    for attempt in range(20):
        rng = generator(seed, "smooth_field")
        field = smooth_noise(tuple(shape), smoothness_mm * 1.25**attempt / step, rng, batch=len(shape))
        length = float(np.sqrt((field**2).sum(axis=0)).max())
        field *= np.float32(amplitude_mm / max(length, 1e-12))
        if amplitude_mm == 0 or jacobian(field, spacing=spacing).min() > 0.05:
            return field
    raise ValueError(f"{amplitude_mm} mm is too much for an image of {shape} voxels: every such field folds. Ask for less.")


def jacobian(field: np.ndarray, *, spacing: float | tuple[float, ...] = 1.0) -> np.ndarray:
    """Determinant of the derivative of x + u(x), by central differences, shape of the image; 1 = no volume change, at most 0 = folding."""
    ndim = field.shape[0]
    step = as_spacing(spacing, ndim)
    gradient = [np.gradient(field[i], *step) for i in range(ndim)]
    m = [[gradient[i][j] + (1.0 if i == j else 0.0) for j in range(ndim)] for i in range(ndim)]
    if ndim == 2:
        return m[0][0] * m[1][1] - m[0][1] * m[1][0]
    return (
        m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1])
        - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
        + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
    )


def warp(image: np.ndarray, field: np.ndarray, *, spacing: float | tuple[float, ...] = 1.0, order: int = 1) -> np.ndarray:
    """Inverse warping: the value at x is image(x + u(x)); positions outside take the nearest edge.

    Args:
        image: 2-D or 3-D array.
        field: (d, *image.shape), mm.
        order: 0 nearest neighbour (labels, masks), 1 linear, 3 cubic.

    Returns:
        array of the image's shape and type.
    """
    image = np.asarray(image)
    if field.shape != (image.ndim, *image.shape):
        raise ValueError(f"an image of shape {image.shape} needs a field of shape {(image.ndim, *image.shape)}, not {field.shape}.")
    step = as_spacing(spacing, image.ndim)
    where = [grid + field[i] / step[i] for i, grid in enumerate(np.indices(image.shape, dtype=np.float32, sparse=True))]
    source = image.astype(np.uint8) if image.dtype == bool else image
    return ndimage.map_coordinates(source, where, order=order, mode="nearest").astype(image.dtype)


def axial(volume: np.ndarray, index: int | None = None) -> np.ndarray:
    """The axial slice of an RAS volume as it is shown: row 0 anterior, column 0 the patient's right."""
    return volume[::-1, ::-1, volume.shape[2] // 2 if index is None else index].T


def coronal(volume: np.ndarray, index: int | None = None) -> np.ndarray:
    """The coronal slice of an RAS volume as it is shown: row 0 superior, column 0 the patient's right."""
    return volume[::-1, volume.shape[1] // 2 if index is None else index, ::-1].T


def sagittal(volume: np.ndarray, index: int | None = None) -> np.ndarray:
    """The sagittal slice of an RAS volume as it is shown: row 0 superior, column 0 anterior."""
    return volume[volume.shape[0] // 2 if index is None else index, ::-1, ::-1].T

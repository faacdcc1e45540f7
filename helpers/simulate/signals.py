"""Measured signals: undersampled k-space of MR and photon counts of PET; the heads they come from are in `brains.py`."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .brains import brain_slice
from .fields import generator, smooth_noise


@dataclass(frozen=True)
class KSpace:
    """Cartesian k-space of one slice. Arrays (H, W); lines run along columns (phase encoding is the column index)."""

    kspace: np.ndarray  # complex64, measured samples, exactly 0 where mask is False
    mask: np.ndarray  # bool, True where measured; whole columns
    full: np.ndarray  # complex64, all samples without noise: orthonormal FFT with zero frequency at (H // 2, W // 2)
    image: np.ndarray  # the input, float32 or complex64
    acceleration: float  # reached: columns / measured columns
    seed: int


@dataclass(frozen=True)
class PetSlice:
    """Counts of a slice through a head. Arrays (size, size) as shown."""

    image: np.ndarray  # int64, Poisson counts
    activity: np.ndarray  # float64, expected counts after the scanner's blur; its sum is `total`
    truth: np.ndarray  # float64, expected counts before the blur
    lesion: np.ndarray  # bool, hot lesions
    total: float  # expected counts in the slice
    fwhm: float  # of the blur, mm
    spacing: float  # mm
    seed: int


def undersample(
    image: np.ndarray,
    acceleration: float = 4.0,
    center_fraction: float = 0.08,
    *,
    noise: float = 0.0,
    pattern: str = "random",
    seed: int = 0,
    lines_seed: int | None = None,
) -> KSpace:
    """Measure only some phase-encoding lines, as a faster scan does.

    Args:
        image: (H, W) real or complex.
        acceleration: at least 1; about W / acceleration columns are kept.
        center_fraction: share of the columns, in the middle, that is always kept; 0 to 1.
        noise: standard deviation of the noise in the real and in the imaginary part, as a share of the root mean square of the image.
        pattern: "random" (incoherent artefacts) or "regular" (folding).
        seed: of lines and noise; lines_seed: of the lines alone, where several scans share them and each has noise of its own.
    """
    image = np.asarray(image)
    if image.ndim != 2:
        raise ValueError(f"image must be (H, W), not {image.shape}.")
    if acceleration < 1 or not 0 <= center_fraction <= 1:
        raise ValueError("acceleration must be at least 1 and center_fraction between 0 and 1.")
    if pattern not in ("random", "regular"):
        raise ValueError(f'pattern must be "random" or "regular", not {pattern!r}.')
    width = image.shape[1]
    lines = np.zeros(width, dtype=bool)
    centre = round(center_fraction * width)
    first = width // 2 - centre // 2
    lines[first : first + centre] = True
    rng = generator(seed, "undersample")
    if pattern == "regular":
        lines[width // 2 % max(round(acceleration), 1) :: max(round(acceleration), 1)] = True
    else:
        missing = np.flatnonzero(~lines)
        wanted = min(max(round(width / acceleration) - centre, 0), len(missing))
        choose = rng if lines_seed is None else generator(lines_seed, "undersample")
        lines[choose.choice(missing, size=wanted, replace=False)] = True
    full = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(image), norm="ortho"))
    sigma = noise * float(np.sqrt(np.mean(np.abs(image) ** 2)))
    real, imaginary = rng.standard_normal((2, *image.shape)) * sigma
    mask = np.broadcast_to(lines, image.shape).copy()
    kept = image.astype(np.complex64 if np.iscomplexobj(image) else np.float32)
    measured = np.where(mask, full + real + 1j * imaginary, 0).astype(np.complex64)
    return KSpace(measured, mask, full.astype(np.complex64), kept, float(width / max(lines.sum(), 1)), seed)


def pet_slice(*, counts: float = 1e5, size: int = 128, spacing: float = 2.0, lesions: int = 1, seed: int = 0) -> PetSlice:
    """An FDG slice through a brain: grey matter takes up three times what white matter does, a lesion more; 6 mm blur, Poisson counts.

    Args:
        counts: expected counts in the whole slice; fewer counts, more relative noise.
        lesions: number of hot spots.
    """
    if counts <= 0 or lesions < 0:
        raise ValueError("counts must be above 0 and lesions at least 0.")
    head = brain_slice("t1", size=size, spacing=spacing, noise=0.0, seed=seed)
    rng = generator(seed, "pet")
    uptake = np.choose(head.tissue, [0.0, 0.15, 1.0, 0.33, 1.0]) * (1 + 0.10 * smooth_noise((size, size), 15 / spacing, rng))
    rows, columns = np.indices((size, size))
    places = np.argwhere(head.tissue >= 2)
    lesion = np.zeros((size, size), dtype=bool)
    for _ in range(lesions):
        row, column = places[rng.integers(len(places))]
        radius = rng.uniform(4, 9)
        lesion |= ((rows - row) ** 2 + (columns - column) ** 2) * spacing**2 < radius**2
    lesion &= head.mask
    uptake = np.where(lesion, rng.uniform(1.7, 2.3), np.clip(uptake, 0, None))
    fwhm = 6.0
    blurred = ndimage.gaussian_filter(uptake.astype(np.float64), fwhm / 2.3548 / spacing)
    scale = counts / blurred.sum()
    activity = blurred * scale
    return PetSlice(rng.poisson(activity), activity, uptake * scale, lesion, float(counts), fwhm, float(spacing), seed)

"""B-mode ultrasound of a breast: point scatterers seen through a point-spread function, so that the speckle is fully developed."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .fields import generator, smooth_noise


@dataclass(frozen=True)
class Ultrasound:
    """Arrays (rows = depth, columns = across). Row 0 touches the probe."""

    image: np.ndarray  # uint8, log-compressed to 50 dB
    envelope: np.ndarray  # float32, before the compression; Rayleigh distributed where the tissue is even
    echogenicity: np.ndarray  # float32, the expected square of the envelope, relative to fat at the surface
    lesion: np.ndarray  # bool, all False where malignant is None
    malignant: bool | None
    spacing: float  # mm
    seed: int


def ultrasound(*, malignant: bool | None = False, shape: tuple[int, int] = (256, 256), spacing: float = 0.15, seed: int = 0) -> Ultrasound:
    """A breast with a benign lesion (smooth, wider than tall), a malignant one (ragged, tall, with a shadow), or none.

    Complex Gaussian scatterers, weighted by the echogenicity, are blurred by a Gaussian point-spread function that is longer across
    than along the beam; the envelope is the modulus; 50 dB are shown.

    Args:
        malignant: False benign, True malignant, None no lesion.
        spacing: mm a pixel; the default field of view is 38 mm.
    """
    rng = generator(seed, "ultrasound")
    height, width = shape
    y = (np.arange(height) * spacing)[:, None]
    x = ((np.arange(width) - (width - 1) / 2) * spacing)[None, :]
    deep = height * spacing

    # Layers in dB: skin, fat with lobules and ligaments, gland, muscle.
    wave = smooth_noise((width,), 8 / spacing, rng, batch=3)
    fat_end = deep * rng.uniform(0.16, 0.28) + 0.8 * wave[0]
    gland_end = deep * rng.uniform(0.70, 0.85) + 0.9 * wave[1]
    lobules = smooth_noise(shape, (2.5 / spacing, 5 / spacing), rng)
    strands = smooth_noise(shape, (0.7 / spacing, 5 / spacing), rng)
    level = np.where(y < fat_end, -2 + 1.5 * lobules, np.where(y < gland_end, 7 + 2.2 * strands + 2.0 * lobules, 0 + 3.0 * strands))
    for place, width_mm, gain in ((1.0, 0.5, 12), (fat_end, 0.35, 6), (gland_end, 0.4, 9)):  # skin and fasciae reflect
        level = level + gain * np.exp(-(((y - place) / width_mm) ** 2))
    lesion = np.zeros(shape, dtype=bool)
    shade = np.zeros(shape)
    if malignant is not None:
        level, shade, lesion = _add_lesion(level, x, y, deep, bool(malignant), rng, spacing)
    level = level - rng.uniform(0.20, 0.40) * y + shade  # attenuation that the gain does not make good
    contact = np.clip(smooth_noise((width,), 6 / spacing, rng), 0, None)
    level = level - 3.0 * contact[None, :] * np.clip(y / deep - 0.1, 0, 1)

    power = 10 ** (ndimage.gaussian_filter(level, 0.7) / 10)
    real, imaginary = rng.standard_normal((2, 2, height, width)) * np.sqrt(power)
    axial, lateral = 0.14 / spacing, 0.34 / spacing
    widths = lateral * (0.8 + 0.6 * np.abs(y / deep - 0.5))  # the beam is narrowest at the focus
    ends = (float(widths.min()), float(widths.max()))
    narrow, broad = (
        ndimage.gaussian_filter(r + 1j * i, (axial, w)) / _norm(axial, w) for r, i, w in zip(real, imaginary, ends, strict=True)
    )
    mix = (widths - widths.min()) / max(np.ptp(widths), 1e-9)
    echo = np.sqrt(1 - mix) * narrow + np.sqrt(mix) * broad
    envelope = np.abs(echo)
    top = np.percentile(envelope, 99.9)
    shown = np.clip(1 + 20 * np.log10(np.maximum(envelope, 1e-9) / top) / 50, 0, 1)
    return Ultrasound(
        np.round(255 * shown).astype(np.uint8),
        envelope.astype(np.float32),
        power.astype(np.float32),
        lesion,
        malignant,
        float(spacing),
        seed,
    )


def _norm(axial: float, lateral: float) -> float:
    """Root of the sum of squares of the point-spread function over sqrt(2), so that the mean of envelope^2 is the echogenicity."""
    n = int(8 * max(axial, lateral)) * 2 + 1
    point = np.zeros((n, n))
    point[n // 2, n // 2] = 1
    return float(np.sqrt(2 * (ndimage.gaussian_filter(point, (axial, lateral)) ** 2).sum()))


def _add_lesion(
    level: np.ndarray, x: np.ndarray, y: np.ndarray, deep: float, malignant: bool, rng: np.random.Generator, spacing: float
) -> tuple:
    """Levels in dB with the lesion, the change of level behind it, and its mask."""
    cx, cy = rng.uniform(-0.15, 0.15) * deep, deep * rng.uniform(0.42, 0.55)
    radius = rng.uniform(4.0, 6.5)
    aspect = rng.uniform(0.95, 1.3) if malignant else rng.uniform(0.5, 0.75)  # height over width
    tilt = rng.uniform(-0.25, 0.25)
    dx, dy = x - cx + 0 * y, y - cy + 0 * x
    u = (dx * np.cos(tilt) + dy * np.sin(tilt)) / (radius / np.sqrt(aspect))
    v = (-dx * np.sin(tilt) + dy * np.cos(tilt)) / (radius * np.sqrt(aspect))
    ragged, scale = (0.17, 1.6) if malignant else (0.04, 4.0)
    edge = 1 + ragged * smooth_noise(level.shape, scale / spacing, rng)
    edge = edge + (0.10 if malignant else 0.03) * smooth_noise(level.shape, 5 / spacing, rng)
    distance = edge - np.hypot(u, v)
    label, _ = ndimage.label(distance > 0)
    row, column = np.clip([cy / spacing, cx / spacing + level.shape[1] / 2], 0, np.array(level.shape) - 1).astype(int)
    centre = label[row, column]
    lesion = label == (centre or 1)
    lesion = ndimage.binary_fill_holes(lesion)
    soft = np.clip(ndimage.gaussian_filter(lesion.astype(float), (0.6 if malignant else 0.25) / spacing), 0, 1)
    texture = 1.5 * smooth_noise(level.shape, 1.5 / spacing, rng)
    inside = (-11.0 if malignant else -8.0) + rng.uniform(-2, 2) + texture
    rim = ndimage.gaussian_filter(lesion.astype(float), 1.0 / spacing) * (1 - soft)
    level = level * (1 - soft) + inside * soft + (rng.uniform(6, 12) if malignant else 4.0) * rim
    path = np.cumsum(soft, axis=0) * spacing  # mm of lesion above each point
    per_mm = rng.uniform(-1.3, -0.7) if malignant else rng.uniform(0.25, 0.5)
    behind = ndimage.gaussian_filter(per_mm * path, (0, 0.8 / spacing))
    return level, behind * (1 - 0.6 * soft), lesion

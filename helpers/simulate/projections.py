"""X-ray physics: attenuation, Beer-Lambert projection, photon noise, filtered back-projection; the chest is in `chests.py`."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.transform import iradon, radon

from .chests import thorax
from .fields import as_spacing, coronal, generator, smooth_noise

MU_WATER = 0.0193  # 1/mm at 70 keV, between 0.02059 at 60 and 0.01837 at 80 keV (Hubbell & Seltzer, NISTIR 5632, 1995)


@dataclass(frozen=True)
class Radiograph:
    """A frontal chest film as shown: row 0 superior, column 0 the patient's right. Arrays (rows, columns)."""

    image: np.ndarray  # float32, 0 to 1, dense tissue bright, detail lifted for display
    counts: np.ndarray  # int64, detected photons
    line_integral: np.ndarray  # float32, sum of mu * length, no noise
    lungs: np.ndarray  # bool, more than 15 mm of lung in the beam
    opacity: np.ndarray  # bool, beam crosses consolidation worth at least 10 mm of water
    nodule: np.ndarray  # bool, shadow of the nodule
    spacing: tuple[float, float]  # mm, row and column
    photons: float  # mean count of a pixel in air
    seed: int


@dataclass(frozen=True)
class Sinogram:
    """Parallel-beam projections of a square image. Arrays (N, angles): row = detector, column = view."""

    line_integral: np.ndarray  # float64, no noise
    measured: np.ndarray  # float64, -log(counts / photons); equals line_integral where photons is None
    counts: np.ndarray | None  # int64
    theta: np.ndarray  # (angles,) degrees, 0 up to 180, as skimage.transform.radon takes them
    spacing: float  # mm a pixel
    photons: float | None  # per detector and view, before the patient


@dataclass(frozen=True)
class LowDoseCT:
    """Filtered back-projections of one slice. Arrays (N, N)."""

    image: np.ndarray  # float32, HU, from noisy projections
    reference: np.ndarray  # float32, HU, the same reconstruction without noise
    sinogram: Sinogram
    dose: float
    spacing: float


def attenuation(hu: np.ndarray) -> np.ndarray:
    """Linear attenuation in 1/mm at 70 keV: MU_WATER * (1 + hu / 1000), never below 0. Air is 0, water 0.0193."""
    return np.maximum(MU_WATER * (1 + np.asarray(hu) / 1000), 0)


def radiograph(
    *, nodule_diameter_mm: float | None = None, consolidation: float = 0.0, photons: float = 20000.0, spacing: float = 2.0, seed: int = 0
) -> Radiograph:
    """A frontal chest film: parallel beams along y through `thorax(seed=seed)`, Beer-Lambert, Poisson noise.

    Args:
        nodule_diameter_mm: as in `thorax`.
        consolidation: 0 (none) to 1 (dense): how much of the air fluid replaces in one patch of lung, as pneumonia does.
        photons: mean count of a pixel in air.
        spacing: mm a pixel; 2 mm gives 169 x 205.
    """
    if not 0 <= consolidation <= 1:
        raise ValueError(f"consolidation must lie between 0 and 1, not {consolidation}.")
    chest = thorax(nodule_diameter_mm=nodule_diameter_mm, spacing=(spacing, max(4.0, spacing), spacing), seed=seed)
    length = chest.spacing[1]
    hu, filled = chest.hu, np.zeros_like(chest.hu)
    if consolidation > 0:
        share = consolidation * _patch(chest.masks, chest.spacing, seed)
        filled = share * np.maximum(20 - hu, 0)
        hu = hu + filled

    def project(volume: np.ndarray) -> np.ndarray:
        return coronal((volume.sum(axis=1, dtype=np.float64) * length)[:, None, :], 0)

    line = project(attenuation(hu))
    counts = generator(seed, "film").poisson(photons * np.exp(-line))
    density = -np.log(np.maximum(counts, 1) / photons)
    shown = density + 0.9 * (density - ndimage.gaussian_filter(density, 14.0 / spacing))  # detail is lifted, as digital units do
    low, high = np.percentile(shown[line > 0.2], [2, 99])
    image = np.clip((shown - 0.85 * low) / (1.05 * high - 0.85 * low), 0, 1)
    return Radiograph(
        image.astype(np.float32),
        counts,
        line.astype(np.float32),
        project(chest.masks["lungs"]) > 15,
        project(filled) * MU_WATER / 1000 > 10 * MU_WATER,
        project(chest.masks["nodule"]) > 0,
        (float(spacing), float(spacing)),
        float(photons),
        seed,
    )


def _patch(masks: dict[str, np.ndarray], spacing: tuple[float, ...], seed: int) -> np.ndarray:
    """Share of each voxel that fluid fills, 0 to 1: a lobe-sized cloud in one lung."""
    rng = generator(seed, "consolidation")
    lung = masks["right_lung" if rng.random() < 0.5 else "left_lung"]
    where = np.argwhere(lung)
    low, high = np.percentile(where[:, 2], [15, 75])
    where = where[(where[:, 2] > low) & (where[:, 2] < high)]
    centre, radius = where[rng.integers(len(where))], rng.uniform(32, 55)
    grid = np.ix_(*[(np.arange(n) - c) * s for n, c, s in zip(lung.shape, centre, spacing, strict=True)])
    distance = np.sqrt(sum(g**2 for g in grid)) / radius
    cloud = 1.1 - distance + 0.35 * smooth_noise(lung.shape, [14 / s for s in spacing], rng)
    return np.clip(1.6 * cloud, 0, 1) * ndimage.gaussian_filter(lung.astype(np.float32), 0.5)


def sinogram(mu: np.ndarray, angles: int = 180, photons: float | None = None, *, spacing: float = 1.0, seed: int = 0) -> Sinogram:
    """Parallel-beam projections over 180 degrees, with photon noise if `photons` is given.

    Args:
        mu: (N, N) linear attenuation in 1/mm. What lies outside the inscribed circle is not seen and is set to 0.
        angles: number of views.
        photons: mean count of an unobstructed detector, per view; None for no noise.
        spacing: mm a pixel.
    """
    mu = np.asarray(mu, dtype=np.float64)
    if mu.ndim != 2 or mu.shape[0] != mu.shape[1]:
        raise ValueError(f"mu must be a square image, not {mu.shape}.")
    step = float(as_spacing(spacing, 1)[0])
    theta = np.linspace(0, 180, angles, endpoint=False)
    line = radon(np.where(_circle(mu.shape[0]), mu, 0.0), theta, circle=True) * step
    if photons is None:
        return Sinogram(line, line.copy(), None, theta, step, None)
    counts = generator(seed, "sinogram").poisson(photons * np.exp(-line))
    return Sinogram(line, -np.log(np.maximum(counts, 1) / photons), counts, theta, step, float(photons))


def low_dose_ct(
    hu: np.ndarray, dose: float = 1.0, *, spacing: float = 2.0, angles: int = 360, photons: float = 2e5, seed: int = 0
) -> LowDoseCT:
    """A slice as a scanner would show it at `dose` times the usual photons: filtered back-projection with a ramp filter.

    Args:
        hu: (N, N) Hounsfield units, for example `thorax_slice(...).hu`. Outside the inscribed circle the result is air.
        dose: share of the full dose; 0.1 means a tenth of the photons, and about three times the noise.
    """
    if dose <= 0:
        raise ValueError(f"dose must be above 0, not {dose}.")
    data = sinogram(attenuation(hu), angles, dose * photons, spacing=spacing, seed=seed)
    images = []
    for values in (data.measured, data.line_integral):
        mu = iradon(values / spacing, data.theta, filter_name="ramp", circle=True, output_size=hu.shape[0])
        images.append(np.where(_circle(hu.shape[0]), 1000 * (mu / MU_WATER - 1), -1000).astype(np.float32))
    return LowDoseCT(images[0], images[1], data, float(dose), float(spacing))


def _circle(size: int) -> np.ndarray:
    """The disc that skimage's circle=True sees."""
    axis = np.arange(size) - size // 2
    return axis[:, None] ** 2 + axis[None, :] ** 2 <= (size // 2) ** 2

"""MR images of heads: MNI152 tissue through the spin-echo equation, with lesions, coil bias and Rician noise, 3-D and one slice."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from . import atlas
from .fields import generator, jacobian, smooth_noise

# (proton density relative to water, T1 ms, T2 ms) at 1.5 T: the tissue table of the BrainWeb simulator,
# Kwan, Evans & Pike, IEEE Transactions on Medical Imaging 18(11):1085-1097, 1999.
TISSUES = {
    "csf": (1.0, 2569.0, 329.0),
    "grey": (0.86, 833.0, 83.0),
    "white": (0.77, 500.0, 70.0),
    "lesion": (0.76, 752.0, 237.0),
}
# (TR, TE, TI) in ms; the inversion time of FLAIR nulls cerebrospinal fluid.
SEQUENCES = {"t1": (500.0, 12.0, None), "t2": (4000.0, 100.0, None), "pd": (4000.0, 15.0, None), "flair": (9000.0, 120.0, 1704.0)}


@dataclass(frozen=True)
class Brain:
    """A simulated head without skull. Arrays (X, Y, Z), axes RAS."""

    image: np.ndarray  # float32, signal relative to fully relaxed water, 0 to about 1
    tissue: np.ndarray  # uint8: 0 background, 1 cerebrospinal fluid, 2 grey, 3 white, 4 lesion
    mask: np.ndarray  # bool, the brain with its fluid
    lesion: np.ndarray  # bool
    bias: np.ndarray  # float32, factor of the coil, mean 1 over the brain
    field: np.ndarray  # (3, X, Y, Z) float32 mm: subject(x) = template(x + field(x))
    affine: np.ndarray  # (4, 4), voxel -> mm
    spacing: tuple[float, float, float]  # mm
    contrast: str
    tr: float  # ms
    te: float  # ms
    ti: float | None  # ms
    sigma: float  # of the noise in each channel, same unit as image
    seed: int


@dataclass(frozen=True)
class BrainSlice:
    """An axial slice as shown: row 0 anterior, column 0 the patient's right. Arrays (size, size)."""

    image: np.ndarray  # float32
    tissue: np.ndarray  # uint8, as in `Brain`
    mask: np.ndarray  # bool
    lesion: np.ndarray  # bool
    bias: np.ndarray  # float32
    field: np.ndarray  # (2, size, size) float32 mm along rows and columns: subject(x) = template(x + field(x))
    spacing: float  # mm
    height: float  # mm, MNI z
    contrast: str
    tr: float
    te: float
    ti: float | None
    sigma: float
    seed: int


def brain(
    contrast: str = "t1",
    *,
    lesions: int = 0,
    spacing: int | float = 2.0,
    bias: float = 0.0,
    noise: float = 0.02,
    variation: float = 1.0,
    seed: int = 0,
) -> Brain:
    """A brain in one MR contrast. The same seed with another contrast gives the same head, lesions and bias, with other noise.

    Args:
        contrast: "t1", "t2", "pd" or "flair".
        lesions: number of bright-on-T2 blobs planted in white matter; they may touch.
        spacing: 1, 2 or 3 mm, isotropic.
        bias: peak-to-peak of the coil's smooth factor; 0.4 runs from about 0.8 to 1.2.
        noise: standard deviation of the noise in each of the two channels, as a share of the signal of white matter (Rician).
        variation: 0 gives the template, 1 a subject: head and ventricles of another size, sulci moved by up to 4.5 mm.
    """
    if spacing not in (1, 2, 3):
        raise ValueError(f"spacing must be 1, 2 or 3 mm, not {spacing!r}.")
    maps = atlas.fractions(int(spacing))
    shape = maps.shape[1:]
    middle = tuple((np.array([0.0, -18.0, 16.0]) - atlas.ORIGIN - (spacing - 1) / 2) / spacing)
    field = _subject(shape, middle, spacing, variation, seed)
    if variation > 0:
        where = [g + f / np.float32(spacing) for g, f in zip(np.indices(shape, dtype=np.float32, sparse=True), field, strict=True)]
        maps = np.stack([ndimage.map_coordinates(m, where, order=1) for m in maps])
    affine = np.diag([spacing, spacing, spacing, 1.0]).astype(float)
    affine[:3, 3] = atlas.ORIGIN + (spacing - 1) / 2
    made = _scan(maps, contrast, lesions, float(spacing), bias, noise, seed)
    return Brain(**made, field=field, affine=affine, spacing=(float(spacing),) * 3, contrast=contrast, seed=seed)


def brain_slice(
    contrast: str = "t1",
    *,
    size: int = 128,
    spacing: float = 1.6,
    height: float = 22.0,
    lesions: int = 0,
    bias: float = 0.0,
    noise: float = 0.02,
    variation: float = 1.0,
    seed: int = 0,
) -> BrainSlice:
    """One axial slice, in milliseconds; another seed is another person.

    Args:
        size: pixels a side. spacing: mm a pixel (any); the default field of view is 205 mm.
        height: mm above the anterior commissure, -60 to 75; 22 shows the lateral ventricles.
        others: as in `brain`.
    """
    if not -60 <= height <= 75:
        raise ValueError(f"height must lie between -60 and 75 mm, not {height}.")
    plane = atlas.plane(round(height))
    field = _subject((size, size), ((size - 1) / 2,) * 2, spacing, variation, seed)
    middle = (232 - (-18.0 - atlas.ORIGIN[1]), 98.0)  # row and column of the head's middle, MNI y = -18, x = 0
    axis = (np.arange(size, dtype=np.float32) - (size - 1) / 2) * np.float32(spacing)
    where = [axis[:, None] + field[0] + middle[0], axis[None, :] + field[1] + middle[1]]
    smoothed = plane if spacing < 1.3 else ndimage.gaussian_filter(plane, (0, 0.35 * spacing, 0.35 * spacing))
    maps = np.stack([ndimage.map_coordinates(m, where, order=1) for m in smoothed])
    made = _scan(maps, contrast, lesions, spacing, bias, noise, seed)
    return BrainSlice(**made, field=field, spacing=float(spacing), height=float(height), contrast=contrast, seed=seed)


def _subject(shape: tuple[int, ...], middle: tuple[float, ...], spacing: float, variation: float, seed: int) -> np.ndarray:
    """A subject's field in mm, (d, *shape): length and width of the head, size of the ventricles, and a random smooth part. Never folds.

    Args:
        middle: voxel position of the head's middle, the centre of the ventricles.
    """
    if variation < 0:
        raise ValueError(f"variation must be at least 0, not {variation}.")
    field = np.zeros((len(shape), *shape), dtype=np.float32)
    if variation == 0:
        return field
    rng = generator(seed, "head")
    scale, swelling = rng.uniform(-0.06, 0.06, len(shape)), rng.uniform(-0.35, 0.35)
    grid = [(np.arange(n, dtype=np.float32) - c) * np.float32(spacing) for n, c in zip(shape, middle, strict=True)]
    offset = np.ix_(*grid)
    near = np.exp(-sum(g**2 for g in offset) / (2 * 24.0**2))
    fine = smooth_noise(shape, 20.0 / spacing, rng, batch=len(shape))
    fine *= np.float32(4.5 / np.sqrt((fine**2).sum(axis=0)).max())
    for i, g in enumerate(offset):
        field[i] = variation * (fine[i] + g * (scale[i] + swelling * near))
    for _ in range(20):
        if jacobian(field, spacing=spacing).min() > 0.05:
            return field
        field *= np.float32(0.85)
    raise ValueError(f"variation {variation} folds the head; ask for less.")


def _signal(tissue: str, tr: float, te: float, ti: float | None) -> float:
    """Magnitude of the spin-echo signal; with `ti` after an inversion pulse."""
    density, t1, t2 = TISSUES[tissue]
    recovery = 1 - np.exp(-tr / t1) if ti is None else abs(1 - 2 * np.exp(-ti / t1) + np.exp(-tr / t1))
    return float(density * recovery * np.exp(-te / t2))


def _scan(maps: np.ndarray, contrast: str, lesions: int, spacing: float, bias: float, noise: float, seed: int) -> dict:
    """Image and truth from tissue fractions (3, *shape)."""
    if contrast not in SEQUENCES:
        raise ValueError(f"contrast must be one of {', '.join(SEQUENCES)}, not {contrast!r}.")
    if not 0 <= bias < 1.5 or noise < 0 or lesions < 0:
        raise ValueError("bias must lie in [0, 1.5), noise and lesions must be at least 0.")
    tr, te, ti = SEQUENCES[contrast]
    shape = maps.shape[1:]
    mask = maps.sum(axis=0) > 0.5
    share, lesion = _plant(maps[2], lesions, spacing, seed)
    csf, grey, white = (m * (1 - share) for m in maps)
    signal = sum(m * _signal(name, tr, te, ti) for m, name in ((csf, "csf"), (grey, "grey"), (white, "white")))
    signal = signal + share * _signal("lesion", tr, te, ti)

    factor = np.ones(shape, dtype=np.float32)
    if bias > 0:
        wave = smooth_noise(shape, 90.0 / spacing, generator(seed, "bias"))
        wave = wave - wave[mask].mean()
        factor = (1 + bias * wave / np.ptp(wave[mask])).astype(np.float32)
    sigma = noise * _signal("white", tr, te, ti)
    image = signal * factor
    if sigma > 0:
        rng = generator(seed, "noise", contrast)
        real, imaginary = rng.standard_normal((2, *shape), dtype=np.float32) * np.float32(sigma)
        image = np.hypot(image + real, imaginary)
    tissue = np.where(mask, maps.argmax(axis=0) + 1, 0).astype(np.uint8)
    tissue[lesion] = 4
    return {
        "image": image.astype(np.float32), "tissue": tissue, "mask": mask, "lesion": lesion, "bias": factor,
        "tr": tr, "te": te, "ti": ti, "sigma": float(sigma),
    }  # fmt: skip


def _plant(white: np.ndarray, count: int, spacing: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Irregular blobs in white matter: share of each voxel (0 to 1) and its mask (share at least a half)."""
    share = np.zeros(white.shape, dtype=np.float32)
    if count == 0:
        return share, share > 0
    rng = generator(seed, "lesions")
    depth = ndimage.distance_transform_edt(white > 0.7) * spacing
    places = np.argwhere(depth > 2.5)
    if not len(places):
        raise ValueError("there is no white matter at this height to hold a lesion.")
    for _ in range(count):
        centre = places[rng.integers(len(places))]
        radius = rng.uniform(2.2, 6.0) * rng.uniform(0.75, 1.3, white.ndim)
        reach = np.ceil(2 * radius.max() / spacing).astype(int)
        box = tuple(slice(max(c - reach, 0), min(c + reach + 1, n)) for c, n in zip(centre, white.shape, strict=True))
        grid = np.ix_(*[(np.arange(b.start, b.stop) - c) * spacing / r for b, c, r in zip(box, centre, radius, strict=True)])
        size = tuple(b.stop - b.start for b in box)
        rough = 0.28 * smooth_noise(size, max(3.0 / spacing, 1.0), rng)
        blob = np.clip((1 + rough - np.sqrt(sum(g**2 for g in grid))) * radius.mean() / spacing + 0.5, 0, 1)
        blob = blob * np.clip(2 * white[box], 0, 1)
        blob[tuple(c - b.start for c, b in zip(centre, box, strict=True))] = 1.0
        share[box] = np.maximum(share[box], blob)
    return share, share >= 0.5

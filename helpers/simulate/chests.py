"""Chest CT phantoms in Hounsfield units, 3-D and one slice, with masks and an optional nodule; the shapes are formulas in `anatomy.py`."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from . import vessels
from .anatomy import Masks, person, tissues
from .fields import as_spacing, generator, smooth_noise

_LOW, _HIGH = np.array([-204.0, -144.0, -72.0]), np.array([204.0, 144.0, 264.0])  # field of view, mm
_TRUTH = ("body", "lungs", "left_lung", "right_lung", "heart", "spine", "ribs", "liver", "airway")


@dataclass(frozen=True)
class Thorax:
    """A chest CT phantom. Arrays (X, Y, Z), axes RAS."""

    hu: np.ndarray  # float32, Hounsfield units, -1000 (air) to about 1000 (bone)
    masks: Masks  # bool: body, lungs, left_lung, right_lung, heart, spine, ribs, liver, airway, vessels, nodule
    affine: np.ndarray  # (4, 4) voxel -> mm
    spacing: tuple[float, float, float]  # mm
    nodule_centre: tuple[float, float, float] | None  # mm
    nodule_diameter_mm: float | None
    seed: int


@dataclass(frozen=True)
class ThoraxSlice:
    """An axial slice as shown: row 0 anterior, column 0 the patient's right. Arrays (size, size)."""

    hu: np.ndarray  # float32, Hounsfield units
    masks: Masks  # bool, the same names as in `Thorax`
    spacing: float  # mm a pixel
    nodule_centre: tuple[float, float] | None  # row, column
    nodule_diameter_mm: float | None
    height: float  # mm above the level of the diaphragm
    seed: int


def thorax(*, nodule_diameter_mm: float | None = None, spacing: float | tuple[float, float, float] = 3.0, seed: int = 0) -> Thorax:
    """A chest in Hounsfield units: body, lungs with vessels, heart, spine, ribs, liver; another person for each seed.

    Args:
        nodule_diameter_mm: diameter of one solid nodule in a lung, 3 to 40 mm; None for none.
        spacing: mm a voxel, one number or (x, y, z); at 3 mm the volume is 137 x 97 x 113.
    """
    step = as_spacing(spacing, 3)
    axes = tuple(low + step[i] * np.arange(int((high - low) / step[i]) + 1) for i, (low, high) in enumerate(zip(_LOW, _HIGH, strict=True)))
    p = person(generator(seed, "thorax"))
    centre = _place_nodule(nodule_diameter_mm, p, seed)
    hu, masks = _scan(axes, p, seed, centre, nodule_diameter_mm)
    affine = np.diag([*step, 1.0])
    affine[:3, 3] = [axis[0] for axis in axes]
    where = None if centre is None else tuple(float(v) for v in centre)
    return Thorax(hu, masks, affine, tuple(float(v) for v in step), where, nodule_diameter_mm, seed)


def thorax_slice(*, size: int = 192, spacing: float = 2.0, nodule_diameter_mm: float | None = None, seed: int = 0) -> ThoraxSlice:
    """One axial slice of a chest, through the nodule if there is one, otherwise at a random height between heart and aortic arch.

    Args:
        size: pixels a side. spacing: mm a pixel; the default field of view is 384 mm.
    """
    p = person(generator(seed, "thorax"))
    centre = _place_nodule(nodule_diameter_mm, p, seed)
    height = float(generator(seed, "height").uniform(50, 165) if centre is None else centre[2])
    axis = (np.arange(size) - (size - 1) / 2) * spacing
    hu, masks = _scan((axis, axis - 6.0, np.array([height])), p, seed, centre, nodule_diameter_mm)
    row_column = None
    if centre is not None:
        row_column = (float((size - 1) / 2 - (centre[1] + 6.0) / spacing), float((size - 1) / 2 - centre[0] / spacing))

    def as_shown(volume: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(volume[::-1, ::-1, 0].T)

    shown = {name: as_shown(mask) for name, mask in masks.items()}
    return ThoraxSlice(as_shown(hu), shown, float(spacing), row_column, nodule_diameter_mm, height, seed)


def slab(heights: np.ndarray, *, size: int, spacing: float, seed: int) -> np.ndarray:
    """(len(heights), size, size) HU of neighbouring axial slices as shown; heights increase, in mm."""
    axis = (np.arange(size) - (size - 1) / 2) * spacing
    hu, _ = _scan((axis, axis - 6.0, np.asarray(heights, dtype=float)), person(generator(seed, "thorax")), seed, None, None)
    return np.ascontiguousarray(hu[::-1, ::-1].transpose(2, 1, 0))


def _inside_lung(points: np.ndarray, p: dict[str, float]) -> np.ndarray:
    return tissues(points[..., 0], points[..., 1], points[..., 2], p)["lungs"]


def _lung_points(count: int, p: dict[str, float], rng: np.random.Generator) -> np.ndarray:
    """(count, 3) points in the lungs, mm."""
    box = rng.uniform([-145, -110, -40], [145, 105, 245], size=(12 * count, 3))
    return box[_inside_lung(box, p)][:count]


def _place_nodule(diameter: float | None, p: dict[str, float], seed: int) -> np.ndarray | None:
    """A centre whose surroundings are lung on all sides."""
    if diameter is None:
        return None
    if not 3 <= diameter <= 40:
        raise ValueError(f"nodule_diameter_mm must lie between 3 and 40, not {diameter}.")
    rng = generator(seed, "nodule")
    sphere = rng.standard_normal((40, 3))
    sphere *= (diameter / 2 + 4) / np.sqrt((sphere**2).sum(axis=1, keepdims=True))
    points = _lung_points(300, p, rng)
    points = points[(points[:, 2] > 15) & (points[:, 2] < 190)]
    room = _inside_lung(points[:, None] + sphere[None], p).mean(axis=1)
    return points[int(np.argmax(room >= min(1.0, room.max())))]


def _scan(axes: tuple, p: dict[str, float], seed: int, centre: np.ndarray | None, diameter: float | None) -> tuple[np.ndarray, Masks]:
    """HU and masks on the grid of three coordinate vectors."""
    x, y, z = np.ix_(*[axis.astype(np.float32) for axis in axes])
    m = tissues(x, y, z, p)
    rng = generator(seed, "texture")
    shape = m["body"].shape
    step = [axis[1] - axis[0] if len(axis) > 1 else 3.0 for axis in axes]

    hu = np.full(shape, -1000, dtype=np.float32)
    slow = smooth_noise(shape, [14 / s for s in step], rng)
    fine = smooth_noise(shape, [5 / s for s in step], rng)
    hu[m["body"]] = 48
    hu += np.where(m["body"], 14 * np.clip(slow, -2, 2) - 55 * (np.clip(fine + 0.6 * slow - 1.0, 0, 1)), 0)  # fat between the muscles
    layers = (("fat", -102), ("mediastinum", 5), ("liver", 58), ("heart", 42), ("great_vessels", 44), ("cartilage", 105), ("marrow", 320))
    bone = {"rib": 950, "sternum": 260, "shoulder": 560, "vertebra": 190, "cortex": 420, "disc": 75, "arch": 430, "canal": 25}
    for name, value in layers[:3]:
        hu[m[name]] = value
    hu[m["lungs"]] = -868
    hu += np.where(m["lungs"], -0.35 * (y + 10) + 10 * slow + 14 * fine, 0).astype(np.float32)  # dependent lung is denser
    tree = _lung_tree(axes, p, seed)
    hu += np.where(m["lungs"], tree * (40 - hu), 0)
    for name, value in layers[3:6]:
        hu[m[name]] = value
    for name, value in bone.items():
        hu[m[name] & m["body"]] = value
    hu[m["marrow"] & m["body"]] = 300
    hu[m["shoulder_marrow"] & m["body"]] = 240
    hu[m["airway"] & m["body"]] = -985
    hu[m["stomach_gas"]] = -960
    nodule = np.zeros(shape, dtype=bool)
    if centre is not None:
        wobble = 1 + 0.07 * np.clip(smooth_noise(shape, [max(diameter / 3 / s, 1.0) for s in step], generator(seed, "wobble")), -2, 2)
        distance = np.sqrt((x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2) / wobble
        nodule = distance < diameter / 2
        share = np.clip((diameter / 2 - distance) / min(step) + 0.5, 0, 1)
        hu += share * (35 - hu)
    hu = ndimage.gaussian_filter(hu, [0.5 if n > 1 else 0 for n in shape])  # the scanner's point-spread function
    masks = {name: m[name] & m["body"] for name in _TRUTH}
    masks["vessels"] = (tree > 0.5) & m["lungs"]
    masks["nodule"] = nodule
    return hu.astype(np.float32), masks


def _lung_tree(axes: tuple, p: dict[str, float], seed: int) -> np.ndarray:
    rng = generator(seed, "vessels")
    ends = _lung_points(900, p, rng)
    result = 0.0
    for root, side in ((np.array([52.0, -20.0, 110.0]), 1), (np.array([-54.0, -25.0, 116.0]), -1)):
        segments = vessels.grow(root, ends[np.sign(ends[:, 0]) == side], leaf_radius=0.62)
        result = np.maximum(result, vessels.draw(segments, axes))
    return result

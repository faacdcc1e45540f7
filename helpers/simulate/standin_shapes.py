"""Stand-ins of AdrenalMNIST3D (binary shapes) and of the Decathlon's hippocampus task (T1 crops with two labels)."""

from functools import cache

import numpy as np
from scipy import ndimage

from .atlas import ORIGIN, map_1mm
from .fields import smooth_field, smooth_noise
from .standins import per_patient

_BATCH = 48


def adrenal(labels: np.ndarray, patients: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Adrenal glands as binary shapes, 28 voxels a side. 1: thicker, lumpier limbs. Size, pose and opening vary alike in both classes.

    The gland is a ridge along z with two thin limbs that open towards the back like an inverted Y; a limb's thickness is what differs.
    """
    n = len(labels)

    def draw(low: float, high: float, jitter: float = 0.15) -> np.ndarray:
        return per_patient(patients, low, high, rng, jitter).astype(np.float32)

    ill = (labels == 1).astype(np.float32)
    shape = {
        "half": ill * draw(1.50, 2.2) + (1 - ill) * draw(0.95, 1.30),  # half thickness of a limb, voxels
        "lump": ill * draw(0.15, 0.45) + (1 - ill) * draw(0.0, 0.2),
        "size": draw(0.85, 1.2) * (1 - 0.14 * ill),
        "long": draw(7.0, 10.0),
        "medial": draw(5.5, 8.5),
        "lateral": draw(4.5, 8.0),
        "open": draw(0.25, 0.75),
        "twist": draw(-0.06, 0.06),
        "bend": draw(0.0, 0.05),
        "curl": draw(-0.05, 0.05),
        "side": np.sign(draw(-1, 1, 0.0)),
    }
    angles = np.stack([draw(-0.35, 0.35, 0.3) for _ in range(3)], axis=1)
    shift = np.stack([draw(-2.5, 2.5, 0.5) for _ in range(3)], axis=1)
    images = np.empty((n, 28, 28, 28), dtype=np.uint8)
    for start in range(0, n, _BATCH):
        part = slice(start, min(start + _BATCH, n))
        images[part] = _glands({key: value[part, None, None, None] for key, value in shape.items()}, angles[part], shift[part], rng)
    return images, labels


def _glands(p: dict[str, np.ndarray], angles: np.ndarray, shift: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(N, 28, 28, 28) uint8, 0 or 255."""
    n = len(angles)
    axis = np.arange(28, dtype=np.float32) - 13.5
    grid = [axis[:, None, None], axis[None, :, None], axis[None, None, :]]
    turn = _rotations(angles)
    moved = [grid[i] - shift[:, i, None, None, None] for i in range(3)]
    a, b, s = (sum(turn[:, i, j, None, None, None] * moved[j] for j in range(3)) / p["size"] for i in range(3))
    a, b = a * p["side"] + p["bend"] * s * s - 1.0, b + 2.5
    taper = np.sqrt(np.clip(1 - (s / p["long"]) ** 2, 0, 1))
    half = p["half"] * (1 + p["lump"] * smooth_noise((28, 28, 28), 5, rng, batch=n)) * (0.55 + 0.45 * taper) / p["size"] ** 0.5
    nearest = np.full_like(half, 99.0)
    for sign, length in ((-1, "medial"), (1, "lateral")):
        direction = sign * (p["open"] + p["twist"] * s)
        along = a * np.sin(direction) + b * np.cos(direction)
        off = a * np.cos(direction) - b * np.sin(direction) - p["curl"] * along**2
        beyond = along - np.clip(along, 0, p[length] * taper)
        nearest = np.minimum(nearest, np.hypot(off, beyond))
    inside = (nearest < half) & (taper > 0.05)
    return np.where(inside, 255, 0).astype(np.uint8)


def _rotations(angles: np.ndarray) -> np.ndarray:
    """(N, 3) Euler angles in radians -> (N, 3, 3)."""
    result = np.broadcast_to(np.eye(3, dtype=np.float32), (len(angles), 3, 3))
    for axis, (i, j) in enumerate(((1, 2), (2, 0), (0, 1))):
        c, s = np.cos(angles[:, axis]), np.sin(angles[:, axis])
        step = np.broadcast_to(np.eye(3, dtype=np.float32), (len(angles), 3, 3)).copy()
        step[:, i, i], step[:, j, j], step[:, i, j], step[:, j, i] = c, c, -s, s
        result = result @ step
    return result.astype(np.float32)


# Centre line of the left hippocampus in MNI mm, from the head back to the tail, and its half width and half height in mm.
_LINE = np.array(
    [[-21.0, -7.0, -20.0], [-24.5, -13.0, -20.5], [-28.0, -20.0, -16.5], [-29.5, -27.0, -12.0], [-28.5, -33.0, -7.0], [-23.5, -38.0, -1.5]]
)
_WIDE = np.array([4.5, 7.0, 6.3, 5.5, 5.0, 3.2])
_HIGH = np.array([3.6, 4.8, 4.0, 3.5, 3.4, 2.8])
_HEAD_ENDS = -20.5  # mm: the uncal apex, where the anterior label meets the posterior one


_BOX = (45, 61, 45)  # voxels of the template around the hippocampus; a case is cut from its middle


@cache
def _template() -> tuple[np.ndarray, np.ndarray]:
    """T1 intensity (white about 1) and label of the template in `_BOX`, 1 mm."""
    corner = np.array([-48.0, -55.0, -39.0])
    i, j, k = (corner - ORIGIN).astype(int)
    t1 = map_1mm("t1")[i : i + _BOX[0], j : j + _BOX[1], k : k + _BOX[2]].astype(np.float32) / 235
    t1 = t1 + 0.9 * (t1 - ndimage.gaussian_filter(t1, 1.5))  # the template averages many heads; one head is sharper
    mm = [np.arange(m, dtype=np.float32) + c for m, c in zip(_BOX, corner, strict=True)]
    fine, knots = np.linspace(0, len(_LINE) - 1, 41), np.arange(len(_LINE))
    points = np.stack([np.interp(fine, knots, _LINE[:, axis]) for axis in range(3)], axis=1)
    distance = np.full(_BOX, 9.0, dtype=np.float32)
    for (x, y, z), w, h in zip(points, np.interp(fine, knots, _WIDE), np.interp(fine, knots, _HIGH), strict=True):
        ball = ((mm[0] - x) / w)[:, None, None] ** 2 + ((mm[1] - y) / 3.5)[None, :, None] ** 2 + ((mm[2] - z) / h)[None, None, :] ** 2
        distance = np.minimum(distance, ball)
    distance = np.sqrt(distance)
    label = np.where(mm[1][None, :, None] > _HEAD_ENDS, 1, 2) * (distance < 1)
    grey = np.clip((1.15 - distance) / 0.3, 0, 1) * 0.9  # inside the tube grey matter, whatever the template has there
    return t1 * (1 - grey) + 0.72 * grey, label.astype(np.uint8)


def hippocampus(labels: np.ndarray, patients: np.ndarray, rng: np.random.Generator) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """T1 crops of about (35, 51, 35) voxels at 1 mm, axes RAS, around the left hippocampus; the intensity scale differs a scan.

    Returns:
        images: list of float32 volumes, 0 and up. labels: list of uint8, 0 background, 1 anterior (head), 2 posterior (body and tail).
    """
    t1, label = _template()
    images, truths = [], []
    base = int(rng.integers(2**31))
    for patient in patients:
        own = np.random.default_rng([base, int(patient)])  # one anatomy a patient
        shape = tuple(int(size + own.integers(-3, 4)) for size in (35, 51, 35))
        field = smooth_field(shape, 3.5, 13.0, seed=int(own.integers(2**31)))
        turn = np.eye(3) + own.normal(0, 0.06, (3, 3))
        centred = np.stack(np.meshgrid(*[np.arange(m) - (m - 1) / 2 for m in shape], indexing="ij"))
        position = np.tensordot(turn, centred, axes=1) + own.normal(0, 1.0, 3)[:, None, None, None] + field
        where = position + (np.array(_BOX) - 1)[:, None, None, None] / 2
        signal = ndimage.map_coordinates(t1, where, order=1, mode="nearest")
        truth = ndimage.map_coordinates(label, where, order=0, mode="nearest")
        signal = signal * (1 + 0.04 * smooth_noise(shape, 2.5, own)) * (1 + 0.12 * smooth_noise(shape, 30, rng))
        signal = np.clip((signal - 0.25) * own.uniform(1.0, 1.4) + 0.2, 0, None)
        sigma = rng.uniform(0.02, 0.06)
        signal = np.hypot(signal + rng.normal(0, sigma, shape), rng.normal(0, sigma, shape))
        images.append((signal * np.exp(rng.uniform(np.log(100), np.log(2000)))).astype(np.float32))
        truths.append(truth)
    return images, truths

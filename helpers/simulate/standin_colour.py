"""Stand-ins of BloodMNIST (white cells in a smear) and PathMNIST (stained colon tissue): RGB, drawn at 56 pixels, averaged to 28."""

import numpy as np

from .cells import STAINS
from .fields import smooth_noise
from .standins import per_patient

_SIZE = 56


def _halve(images: np.ndarray) -> np.ndarray:
    """(N, 56, 56, 3) in 0..1 -> (N, 28, 28, 3) uint8."""
    small = images.reshape(len(images), 28, 2, 28, 2, 3).mean(axis=(2, 4))
    return np.round(np.clip(small, 0, 1) * 255).astype(np.uint8)


def _step(x: np.ndarray, width: float) -> np.ndarray:
    t = np.clip(x / width + 0.5, 0, 1)
    return t * t * (3 - 2 * t)


def _mix(image: np.ndarray, colour: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Paint `colour` (N, 3) or (3,) with opacity `share` (N, H, W)."""
    colour = np.asarray(colour, dtype=np.float32)
    colour = colour[:, None, None, :] if colour.ndim == 2 else colour
    return image + (colour - image) * share[..., None]


# A row a class: cell radius, nucleus over cell, lobes, spread of the lobes, cytoplasm RGB, granules 0-1, granule RGB, nucleus RGB.
_BLOOD = (
    (0.52, 0.62, 2, 0.30, (0.72, 0.55, 0.75), 1.0, (0.28, 0.12, 0.42), (0.45, 0.25, 0.58)),  # basophil
    (0.54, 0.46, 2, 0.62, (0.92, 0.70, 0.66), 0.9, (0.88, 0.48, 0.40), (0.45, 0.24, 0.58)),  # eosinophil
    (0.36, 0.62, 1, 0.00, (0.72, 0.62, 0.74), 0.0, (0.5, 0.4, 0.6), (0.30, 0.12, 0.42)),  # erythroblast
    (0.60, 0.68, 1, 0.25, (0.80, 0.66, 0.82), 0.5, (0.62, 0.40, 0.66), (0.52, 0.30, 0.66)),  # immature granulocytes
    (0.42, 0.84, 1, 0.00, (0.66, 0.70, 0.90), 0.0, (0.5, 0.5, 0.8), (0.44, 0.24, 0.60)),  # lymphocyte
    (0.64, 0.60, 2, 0.42, (0.74, 0.72, 0.84), 0.2, (0.62, 0.56, 0.76), (0.50, 0.30, 0.64)),  # monocyte
    (0.55, 0.38, 4, 0.80, (0.93, 0.80, 0.82), 0.3, (0.84, 0.66, 0.74), (0.42, 0.20, 0.56)),  # neutrophil
    (0.20, 0.01, 1, 0.00, (0.70, 0.56, 0.80), 0.8, (0.48, 0.28, 0.62), (0.5, 0.3, 0.6)),  # platelet
)


def blood(labels: np.ndarray, patients: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One cell in the middle of a smear of red cells; classes differ in size, lobes of the nucleus, colour and granules."""
    n = len(labels)
    axis = ((np.arange(_SIZE, dtype=np.float32) + 0.5) / _SIZE * 2 - 1)[None]
    x, y = axis[:, None, :], axis[:, :, None]

    def col(values: np.ndarray) -> np.ndarray:
        return np.asarray(values, dtype=np.float32)[:, None, None]

    rows = list(zip(*[_BLOOD[label] for label in labels], strict=True))
    scalar = [col(np.array(values)) for values in rows[:4]]
    blend = [  # cells of a class differ, and look in part like the average cell
        0.55 * np.array(values) + 0.45 * np.mean([cell[k] for cell in _BLOOD[:7]], axis=0) + rng.normal(0, 0.03, (n, 3))
        for k, values in ((4, rows[4]), (6, rows[6]), (7, rows[7]))
    ]
    stain = rng.normal(0, 0.03, (n, 3)) + rng.normal(0, 0.03, (n, 1))
    image = np.broadcast_to((np.array([0.93, 0.86, 0.80]) + stain)[:, None, None, :], (n, _SIZE, _SIZE, 3)).astype(np.float32)
    for _ in range(4):  # red cells: pale in the middle
        cx, cy, r = col(rng.uniform(-1.2, 1.2, n)), col(rng.uniform(-1.2, 1.2, n)), col(rng.uniform(0.36, 0.44, n))
        far = np.hypot(cx, cy) > 0.72
        distance = np.hypot(x - cx, y - cy)
        image = _mix(image, np.array([0.86, 0.62, 0.60]), far * _step(r - distance, 0.08) * (0.75 - 0.4 * _step(0.5 * r - distance, 0.3)))

    size = scalar[0] * col(per_patient(patients, 0.72, 1.3, rng, 0.4))
    px, py = x - col(rng.uniform(-0.3, 0.3, n)), y - col(rng.uniform(-0.3, 0.3, n))
    wobble = 1 + 0.06 * smooth_noise((_SIZE, _SIZE), 14, rng, batch=n)
    cell = _step(size * wobble - np.hypot(px, py), 0.07)
    image = _mix(image, blend[0] + stain, cell * 0.95)
    fine = smooth_noise((_SIZE, _SIZE), 2.2, rng, batch=n)
    granules = col(np.array(rows[5])) * _step(fine - 0.35, 0.5) * cell
    image = _mix(image, blend[1] + stain, granules * 0.8)

    lobes, spread = np.array(rows[2]), scalar[3] * size * 0.62
    turn, bend = rng.uniform(0, 2 * np.pi, n), rng.uniform(0.75, 1.25, n)
    nucleus = np.zeros_like(cell)
    for k in range(4):
        angle = col(turn + bend * 1.5 * (k - (lobes - 1) / 2) + rng.normal(0, 0.15, n))
        radius = size * scalar[1] * col(rng.uniform(0.8, 1.15, n))
        place = np.hypot(px - spread * np.cos(angle), py - spread * np.sin(angle))
        nucleus = np.maximum(nucleus, col(k < lobes) * _step(radius * wobble - place, 0.08))
    chromatin = smooth_noise((_SIZE, _SIZE), 3.5, rng, batch=n)
    image = _mix(image, blend[2] + stain, nucleus * (0.9 + 0.07 * chromatin))
    image = image * col(rng.uniform(0.9, 1.06, n))[..., None] + rng.normal(0, 0.015, image.shape).astype(np.float32)
    return _halve(image), labels


def path(labels: np.ndarray, patients: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Tissue textures by haematoxylin and eosin densities; dye strength differs between patients more than within one."""
    n = len(labels)
    eosin, blue = np.zeros((2, n, _SIZE, _SIZE), dtype=np.float32)
    for label in range(9):
        which = np.flatnonzero(labels == label)
        if len(which):
            eosin[which], blue[which] = _texture(label, len(which), rng)
    # A tile of tissue holds some of its neighbour; glass and fat keep to themselves.
    other = np.where(np.isin(labels, (0, 1)), np.arange(n), rng.permutation(n))
    share = _step(smooth_noise((_SIZE, _SIZE), 30, rng, batch=n) - rng.uniform(0.3, 1.6, (n, 1, 1)), 0.5).astype(np.float32)
    eosin, blue = eosin + (eosin[other] - eosin) * share, blue + (blue[other] - blue) * share
    strength = [per_patient(patients, 0.4, 1.7, rng)[:, None, None] for _ in range(2)]
    vectors = STAINS.astype(np.float32)
    density = (blue * strength[0])[..., None] * vectors[0] + (eosin * strength[1])[..., None] * vectors[1]
    light = per_patient(patients, 0.90, 0.98, rng)[:, None, None, None]
    image = light * np.exp(-density) + rng.normal(0, 0.012, density.shape)
    return _halve(image), labels


def _texture(label: int, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Eosin and haematoxylin densities (n, 56, 56) of one class."""
    axis = np.arange(_SIZE, dtype=np.float32)
    x, y = axis[None, None, :], axis[None, :, None]

    def noise(scale: float | tuple[float, float]) -> np.ndarray:
        return smooth_noise((_SIZE, _SIZE), scale, rng, batch=n)

    def any_of(low: float, high: float) -> np.ndarray:
        return rng.uniform(low, high, n).astype(np.float32)[:, None, None]

    def dots(scale: float, low: float, high: float) -> np.ndarray:
        """Patches above a threshold of smooth noise."""
        return _step(noise(scale) - any_of(low, high), 0.35)

    def discs(pitch: float, radius: float, fill: float, stretch: float = 1.0) -> np.ndarray:
        """Nuclei: one ellipse at most in each cell of a jittered grid, in a share `fill` of the cells, long along the fibres."""
        number = int(_SIZE / pitch * 1.5) + 4
        u, v = (along + 60 + 2 * noise(14)) / (pitch * stretch) % number, (across + 60 + 2 * noise(14)) / pitch % number
        which = (np.arange(n)[:, None, None], u.astype(int) % number, v.astype(int) % number)
        there, size = (rng.random((n, number, number)) < fill)[which], rng.uniform(0.8, 1.2, (n, number, number)).astype(np.float32)[which]
        room = 0.9 * (0.5 - min(radius / pitch, 0.45))
        place = rng.uniform(-room, room, (2, n, number, number)).astype(np.float32)
        distance = np.hypot(u % 1 - 0.5 - place[0][which], v % 1 - 0.5 - place[1][which]) * pitch
        return there * _step(radius * size - distance, 1.2)

    turn = any_of(0, np.pi)
    along = x * np.cos(turn) + y * np.sin(turn)
    across = -x * np.sin(turn) + y * np.cos(turn)
    zero = np.zeros((n, _SIZE, _SIZE), dtype=np.float32)
    if label == 0:  # adipose: empty cells with thin walls
        wall = np.exp(-((noise(13) / any_of(0.10, 0.16)) ** 2)) + np.exp(-((noise(16) / any_of(0.08, 0.14)) ** 2))
        return 0.45 * np.clip(wall, 0, 1.2) + 0.02, 0.08 * wall + 0.5 * dots(4, 1.9, 2.3) * np.clip(wall, 0, 1)
    if label == 1:  # background: glass
        return zero + any_of(0.0, 0.04), zero + any_of(0.0, 0.03) + 0.1 * dots(6, 2.2, 2.8)
    if label == 2:  # debris: shapeless, with fragments
        cloud = _step(noise(12) + 0.4, 1.5)
        return cloud * any_of(0.3, 0.6) * (1 + 0.3 * noise(3)), cloud * any_of(0.10, 0.3) * (1 + 0.5 * noise(2.5)) + 0.3 * dots(3, 1.2, 1.8)
    if label == 3:  # lymphocytes: small dark dots, crowded
        return zero + any_of(0.10, 0.3), 0.12 + any_of(0.8, 1.2) * discs(6.5, 2.7, 0.92)
    if label == 4:  # mucus: pale bluish streaks
        wave = np.sin((across + 5 * noise(18)) / any_of(2.5, 5))
        return any_of(0.04, 0.16) * (1 + 0.6 * wave), any_of(0.10, 0.28) * (1 + 0.5 * wave) + 0.3 * dots(4, 1.9, 2.4)
    if label == 5:  # smooth muscle: straight fibres, thin nuclei along them
        wave = np.sin((across + 1.5 * noise(25)) / any_of(1.6, 2.6))
        return any_of(0.4, 0.65) * (1 + 0.22 * wave), 0.08 + 0.8 * discs(8, 1.9, 0.22, 2.6)
    if label == 6:  # normal mucosa: crypts side by side, nuclei around each
        size = any_of(20, 28)
        u = np.mod(along / size + 0.07 * noise(20), 1) - 0.5
        v = np.mod(across / size + 0.07 * noise(20) + 0.5 * np.mod(np.floor(along / size), 2), 1) - 0.5
        ring = np.hypot(u, v)
        border = np.exp(-(((ring - 0.36) / 0.07) ** 2))
        return 0.28 - 0.2 * _step(0.28 - ring, 0.1) + 0.1 * _step(ring - 0.45, 0.1), 0.1 + border * any_of(0.5, 0.9) * (
            0.5 + 0.7 * discs(6, 2.6, 0.95)
        )
    if label == 7:  # cancer-associated stroma: wavy fibres, plump nuclei
        wave = np.sin((across + 6 * noise(12)) / any_of(2.2, 4))
        return any_of(0.28, 0.5) * (1 + 0.45 * wave), 0.08 + any_of(0.6, 0.9) * discs(10, 2.6, 0.4, 1.8)
    lumen = _step(noise(16) - any_of(0.8, 1.6), 0.4)  # tumour epithelium: crowded large nuclei around ragged lumina
    return (any_of(0.25, 0.45) + 0.05 * noise(5)) * (1 - lumen), (
        0.25 + any_of(0.5, 0.8) * discs(9.5, 4.0, 0.92, 1.25) * (1 + 0.2 * noise(2))
    ) * (1 - lumen)

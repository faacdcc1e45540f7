"""Stand-ins of BreastMNIST (ultrasound) and PneumoniaMNIST (chest films): whole batches drawn at 56 pixels, averaged to 28."""

import numpy as np
from scipy import ndimage

from .fields import smooth_noise
from .standins import per_patient

_SIZE = 56


def _halve(images: np.ndarray) -> np.ndarray:
    """(N, 56, 56) in 0..1 -> (N, 28, 28) uint8."""
    n = len(images)
    small = images.reshape(n, 28, 2, 28, 2).mean(axis=(2, 4))
    return np.round(np.clip(small, 0, 1) * 255).astype(np.uint8)


def _smoothstep(x: np.ndarray, width: float | np.ndarray) -> np.ndarray:
    """0 for x well below 0, 1 well above, with an edge of `width`."""
    t = np.clip(x / width + 0.5, 0, 1)
    return t * t * (3 - 2 * t)


def _grid() -> tuple[np.ndarray, np.ndarray]:
    """x from -1 to 1 (columns) and y from 0 to 1 (rows, downwards), each broadcastable to (N, 56, 56)."""
    axis = (np.arange(_SIZE, dtype=np.float32) + 0.5) / _SIZE
    return (2 * axis - 1)[None, None, :], axis[None, :, None]


def _column(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, dtype=np.float32)[:, None, None]


def breast(labels: np.ndarray, patients: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Breast ultrasound. 0: a ragged, indistinct, often tall and shadowing lesion. 1: a smooth oval one, or (a quarter) none."""
    n = len(labels)
    x, y = _grid()

    def draw(low: float, high: float, jitter: float = 0.1) -> np.ndarray:
        return _column(per_patient(patients, low, high, rng, jitter))

    malignant = _column(labels == 0)
    healthy = (1 - malignant) * (draw(0, 1, 0.0) < 0.24)

    # Layers from the skin down: skin, fat, fibroglandular tissue, muscle; each boundary waves.
    wave = smooth_noise((_SIZE,), 14, rng, batch=3 * n).reshape(3, n, 1, _SIZE) * 0.035
    fat_end, gland_end = draw(0.12, 0.35) + wave[0], draw(0.62, 1.0) + wave[1]
    echo = 0.40 + (draw(0.45, 0.68) - 0.40) * _smoothstep(y - fat_end, 0.10)
    echo = echo + (draw(0.25, 0.45) - echo) * _smoothstep(y - gland_end, 0.10)
    echo = echo + 0.3 * _smoothstep(0.045 - y, 0.05) + draw(0.05, 0.3) * np.exp(-(((y - gland_end) / 0.025) ** 2))
    strands = smooth_noise((_SIZE, _SIZE), (2.5, 10), rng, batch=n)
    lobules = smooth_noise((_SIZE, _SIZE), (6, 11), rng, batch=n)
    clumps = smooth_noise((_SIZE, _SIZE), (4, 4), rng, batch=n)
    echo = echo + draw(0.03, 0.10) * strands + draw(0.03, 0.08) * lobules + draw(0.0, 0.05) * clumps
    dropout = smooth_noise((_SIZE,), 9, rng, batch=n)[:, None, :]  # poor contact and ligaments shade whole beams, in every class
    echo = echo - draw(0.0, 0.16) * np.clip(dropout, 0, None) * _smoothstep(y - 0.1 - 3 * wave[2], 0.4)

    # The lesion. Place, size and darkness come from one distribution; the classes differ in shape, edge and what lies behind.
    cx, cy = draw(-0.4, 0.4, 0.5), draw(0.32, 0.56, 0.4)
    radius = draw(0.12, 0.24)
    spread = draw(0, 1, 0.2)
    aspect = malignant * (0.85 + 0.5 * spread) + (1 - malignant) * (0.48 + 0.37 * spread)
    tilt = draw(-0.4, 0.4)
    dx, dy = (x - cx) / 2 + 0 * y, (y - cy) + 0 * x
    u = (dx * np.cos(tilt) + dy * np.sin(tilt)) / (radius / np.sqrt(aspect))
    v = (-dx * np.sin(tilt) + dy * np.cos(tilt)) / (radius * np.sqrt(aspect))
    ragged = malignant * draw(0.28, 0.55) + (1 - malignant) * draw(0.02, 0.12)
    edge = 1 + ragged * smooth_noise((_SIZE, _SIZE), 5, rng, batch=n) + 0.08 * smooth_noise((_SIZE, _SIZE), 16, rng, batch=n)
    softness = malignant * draw(0.6, 1.1) + (1 - malignant) * draw(0.3, 0.7)
    inside = _smoothstep(edge - np.hypot(u, v), softness) * (1 - healthy)
    fill = draw(0.10, 0.30) + draw(0.0, 0.06) * clumps
    echo = echo + (fill - echo) * inside * draw(0.7, 0.95)
    rim = np.exp(-(((np.hypot(u, v) - 1.15) / 0.18) ** 2)) * (1 - healthy)  # echogenic halo of the ill, thin capsule of the well
    echo = echo + (malignant * draw(0.06, 0.20) + (1 - malignant) * draw(0.0, 0.09)) * rim * (1 - inside)
    beam = np.exp(-((dx / (0.7 * radius / np.sqrt(aspect))) ** 2)) * _smoothstep(dy - 0.6 * radius, 1.2 * radius)
    behind = malignant * draw(-0.32, 0.0) + (1 - malignant) * draw(-0.12, 0.16)
    echo = echo + behind * beam * (1 - healthy)

    # Attenuation, gain, speckle (log-compressed Rayleigh has a constant spread), the image's own sharpness.
    image = (echo + draw(-0.06, 0.10)) * np.exp(-draw(0.1, 1.1) * y)
    speckle = np.log(np.hypot(rng.standard_normal(image.shape), rng.standard_normal(image.shape)) + 0.15).astype(np.float32)
    image = image + draw(0.05, 0.12) * ndimage.gaussian_filter(speckle, (0, 0.4, 0.9))
    image = np.clip(image, 0, 1) * draw(0.7, 1.2)
    return _halve(image), labels


def pneumonia(labels: np.ndarray, patients: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Frontal chest films of children. 1: patchy opacity inside the lungs, lobar or diffuse; all else varies alike in both classes."""
    n = len(labels)
    x, y = _grid()

    def draw(low: float, high: float, jitter: float = 0.3) -> np.ndarray:
        return _column(per_patient(patients, low, high, rng, jitter))

    turn, zoom = draw(-0.10, 0.10), draw(0.92, 1.25)
    px, py = x - draw(-0.12, 0.12), 2 * (y - 0.5) - draw(-0.12, 0.16)
    sx, sy = (px * np.cos(turn) + py * np.sin(turn)) / zoom, (-px * np.sin(turn) + py * np.cos(turn)) / zoom
    across = np.abs(sx)

    # The trunk: its side walls are soft; shoulders and arms leave the frame at the top; the neck and chin are thick.
    wall = _smoothstep(0.86 - 0.10 * sy - across, 0.28)
    shoulder = _smoothstep(-0.38 + 0.1 * across - sy, 0.35) * _smoothstep(sy + 1.15 - 0.38 * across, 0.15)
    body = np.maximum(wall * _smoothstep(sy + 1.02 - 0.25 * across, 0.2), 0.8 * shoulder)
    neck = np.exp(-((sx / 0.22) ** 2)) * _smoothstep(-0.62 - sy, 0.3)
    film = 0.12 + draw(0.38, 0.48) * body + draw(0.1, 0.25) * neck

    # Lungs: width grows from the apex down, cut by the domes of the diaphragm; air thickness fades to the edges.
    breath = draw(0.30, 0.66)
    air, dome_all = np.zeros_like(film), np.zeros_like(film)
    for side in (-1, 1):
        centre = side * draw(0.38, 0.44)
        width = 0.345 * np.sqrt(np.clip((sy + 0.80) / 0.95, 0, 1)) * draw(0.85, 1.05) + 1e-3
        dome = breath + 0.55 * np.clip(across - 0.33, 0, None) ** 1.5 + (0.06 if side > 0 else 0.0)
        profile = np.clip(1 - ((sx - centre) / width) ** 2, 0, 1) ** 0.55
        air = air + profile * _smoothstep(dome - sy, 0.14) * _smoothstep(sy + 0.76, 0.16)
        dome_all = np.maximum(dome_all, _smoothstep(sy - dome, 0.2) * (sx * side > 0))
    heart = np.hypot((sx - 0.13) / draw(0.24, 0.36), (sy - breath + 0.24) / draw(0.30, 0.40))
    silhouette = _smoothstep(1.05 - heart, 0.55)
    air = air * (1 - 0.85 * silhouette)
    middle = np.exp(-((sx / draw(0.10, 0.15)) ** 2)) * (1 + 0.12 * np.cos(2 * np.pi * sy * 5.5))
    film = film - draw(0.22, 0.36) * air + 0.10 * silhouette + draw(0.08, 0.18) * middle + draw(0.06, 0.14) * dome_all * body

    # Ribs, vessels that fan out from the hila, clavicles; all over the film, strongest over air.
    phase = 2 * np.pi * (sy * draw(4.2, 5.4) - 0.9 * across**1.5 + draw(0, 1, 0.0))
    film = film + draw(0.012, 0.045) * np.cos(phase) * (0.3 + air) * wall
    vessels = smooth_noise((_SIZE, _SIZE), 4, rng, batch=n)
    hilum = np.exp(-(((across - 0.17) / 0.15) ** 2) - ((sy + 0.02) / 0.28) ** 2)
    film = film + draw(0.0, 0.04) * vessels * air + draw(0.02, 0.10) * hilum * (1 + 0.4 * vessels)
    film = film + 0.05 * np.exp(-(((sy + 0.60 + 0.16 * across) / 0.04) ** 2)) * (across < 0.8)

    # What differs: patches inside the lung. Half of the ill have one lobar patch, half diffuse ones.
    ill = _column(labels == 1)
    diffuse = draw(0, 1, 0.0) < 0.5
    cloud = _smoothstep(smooth_noise((_SIZE, _SIZE), 8, rng, batch=n) - draw(-0.1, 0.5), 1.2)
    side = np.sign(draw(-1, 1, 0.0))
    spot = np.hypot((sx - side * draw(0.28, 0.50)) / draw(0.18, 0.34), (sy - draw(-0.35, 0.40)) / draw(0.18, 0.36))
    patch = np.where(diffuse, cloud, _smoothstep(1.1 - spot, 1.0))
    texture = 1 + 0.4 * smooth_noise((_SIZE, _SIZE), 3, rng, batch=n)
    film = film + ill * draw(0.10, 0.30) * patch * air * texture

    # What does not: haze over the whole film, soft tissue over the lower lungs, exposure, contrast, grain.
    film = film + draw(0.0, 0.05) * smooth_noise((_SIZE, _SIZE), 40, rng, batch=n)
    film = film + draw(0.0, 0.08) * np.exp(-((sy - 0.45) ** 2) / 0.08 - (across - 0.45) ** 2 / 0.08)
    film = (film - 0.5) * draw(0.85, 1.5) + draw(0.48, 0.68)
    film = film + draw(0.005, 0.03) * rng.standard_normal(film.shape).astype(np.float32)
    return _halve(film), labels

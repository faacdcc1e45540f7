"""Stand-in of OrganAMNIST: axial CT crops centred on one of eleven organs; left and right differ only by what lies beside the organ."""

import numpy as np

from .fields import smooth_noise
from .standins import per_patient

_SIZE = 56
# The column order of CLASSES["organamnist"].
_BLADDER, _FEMUR_L, _FEMUR_R, _HEART, _KIDNEY_L, _KIDNEY_R, _LIVER, _LUNG_L, _LUNG_R, _PANCREAS, _SPLEEN = range(11)


def organs(labels: np.ndarray, patients: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(N, 28, 28) uint8, a soft-tissue window of -350 to 450 HU; (N,) labels. The patient's right is at the left of the picture."""
    n = len(labels)
    axis = ((np.arange(_SIZE, dtype=np.float32) + 0.5) / _SIZE * 2 - 1)[None]
    hu = np.empty((n, _SIZE, _SIZE), dtype=np.float32)
    angle = rng.uniform(-0.4, 0.4, n)
    zoom = per_patient(patients, 0.6, 1.3, rng)
    shift = rng.uniform(-0.35, 0.35, (2, n))
    for label in range(11):
        which = np.flatnonzero(labels == label)
        if not len(which):
            continue
        a, s = angle[which, None, None], zoom[which, None, None]
        px, py = axis[:, None, :] - shift[0, which, None, None], axis[:, :, None] - shift[1, which, None, None]
        x, y = (px * np.cos(a) + py * np.sin(a)) / s, (-px * np.sin(a) + py * np.cos(a)) / s
        # Every organ is drawn as if the midline lay at larger x; left ones, at the right of the picture, are mirrored.
        mirrored = label in (_FEMUR_L, _KIDNEY_L, _LUNG_L, _SPLEEN)
        hu[which] = _organ(label, -x if mirrored else x, y, len(which), rng)
    # Contrast phase and noise differ from scan to scan.
    scale = rng.uniform(0.55, 1.1, (n, 1, 1)).astype(np.float32)
    hu = np.where(hu > -300, hu * scale + rng.normal(0, 25, (n, 1, 1)), hu).astype(np.float32)
    hu += rng.uniform(10, 36, (n, 1, 1)).astype(np.float32) * smooth_noise((_SIZE, _SIZE), 2.5, rng, batch=n)
    small = hu.reshape(n, 28, 2, 28, 2).mean(axis=(2, 4))
    return np.round(np.clip((small + 350) / 800, 0, 1) * 255).astype(np.uint8), labels


def _organ(label: int, x: np.ndarray, y: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """HU of one class, (n, 56, 56); the patient's midline lies at larger x."""

    def vary(low: float, high: float) -> np.ndarray:
        return rng.uniform(low, high, n).astype(np.float32)[:, None, None]

    wave = smooth_noise((_SIZE, _SIZE), 16, rng, batch=n)
    spots = smooth_noise((_SIZE, _SIZE), 6, rng, batch=n)

    def blob(cx: float, cy: float, rx: float, ry: float, rough: float = 0.05) -> np.ndarray:
        """Inside of a wavy ellipse, each size and place a little different."""
        u, v = (x - cx - vary(-0.06, 0.06)) / (rx * vary(0.85, 1.15)), (y - cy - vary(-0.06, 0.06)) / (ry * vary(0.85, 1.15))
        return np.hypot(u, v) < 1 + rough * wave

    def paint(mask: np.ndarray, low: float, high: float) -> None:
        np.copyto(image, np.broadcast_to(vary(low, high), image.shape), where=np.broadcast_to(mask, image.shape))

    image = np.where(spots > 0.9, 20.0, -95.0).astype(np.float32)  # fat with strands and bowel
    if label in (_LUNG_L, _LUNG_R):
        paint(x > -2, 30, 60)
        paint(np.hypot((x + 0.95) / 0.16, y / 1.1) < 1, 200, 350)  # ribs outside
        lung = blob(0.0, 0.0, 0.68, 0.85)
        paint(lung, -880, -800)
        paint(lung & (spots > 1.5), -150, 40)
        paint(blob(0.85, 0.0, 0.30, 0.5) if label == _LUNG_R else blob(0.62, -0.25, 0.42, 0.45), 35, 60)
        paint(blob(0.95, 0.62, 0.22, 0.2), 180, 320)
    elif label == _HEART:
        paint(x > -2, -850, -780)
        paint(np.abs(x) > 0.93 + 0.03 * wave, 30, 60)
        paint(blob(0.0, 0.0, 0.72, 0.62, 0.08), 90, 170)
        paint(blob(0.25, 0.05, 0.25, 0.28), 170, 260)
        paint(blob(-0.25, -0.1, 0.25, 0.25), 140, 240)
        paint(blob(0.25, 0.82, 0.16, 0.14), 150, 240)
        paint(blob(0.0, 0.98, 0.22, 0.16), 200, 350)
    elif label in (_KIDNEY_L, _KIDNEY_R):
        paint(blob(0.75, 0.75, 0.38, 0.42), 45, 65)  # psoas
        paint(blob(1.0, 0.25, 0.30, 0.32), 180, 320)  # spine
        paint(blob(-0.1, -1.0, 1.0, 0.32) if label == _KIDNEY_R else blob(-0.8, -0.85, 0.4, 0.5), 85, 130)  # liver, or spleen
        paint(blob(0.0, 0.0, 0.52, 0.66, 0.07), 130, 210)
        paint(blob(0.40, 0.0, 0.30, 0.24), -70, 20)  # the hilum looks to the midline
    elif label == _LIVER:
        paint(blob(0.0, 0.0, 0.95, 0.86, 0.08), 85, 135)
        paint(blob(0.2, 0.1, 0.9, 0.95, 0.0) & (np.abs(spots) < 0.10), 130, 190)  # vessels
        paint(np.hypot(x, y) > 1.12 + 0.04 * wave, 20, 55)
        paint((np.hypot(x + 0.05, y) > 1.02) & (np.hypot(x, y) < 1.10) & (x < 0) & (spots > 0), 200, 380)
        paint(blob(0.95, 0.75, 0.30, 0.28), 180, 320)
    elif label == _SPLEEN:
        paint((np.hypot(x, y) > 1.12) & (x < 0.4), 20, 50)
        paint((np.hypot(x, y) > 0.96) & (np.hypot(x, y) < 1.06) & (x < 0.1) & (spots > 0.2), 200, 380)
        paint(blob(0.62, -0.45, 0.45, 0.42), 0, 50)  # stomach
        paint(blob(-0.25, 0.0, 0.52, 0.80, 0.08) & ~blob(0.28, 0.0, 0.48, 0.55), 95, 150)
        paint(blob(0.68, 0.62, 0.28, 0.32), 130, 210)  # kidney
    elif label == _PANCREAS:
        bow = y + 0.28 * (x**2 - 0.3)
        paint((np.abs(bow) < vary(0.16, 0.26) * (1 + 0.45 * spots)) & (np.abs(x) < 0.88), 60, 105)
        paint(blob(0.1, 0.34, 0.20, 0.13), 130, 200)  # splenic and mesenteric vein
        paint(blob(-0.1, 0.80, 0.17, 0.16), 150, 220)
        paint(blob(0.3, -0.75, 0.7, 0.28), -20, 45)  # stomach
        paint(blob(-0.95, 0.0, 0.30, 0.9), 85, 130)
    elif label == _BLADDER:
        paint(blob(0.0, 0.75, 0.42, 0.32), 25, 50)  # bowel or uterus behind
        for side in (-1, 1):
            paint(blob(side * 0.95, -0.05, 0.24, 0.75), 40, 65)
            paint(blob(side * 1.02, 0.1, 0.13, 0.5), 250, 480)
        paint(blob(0.0, 0.0, 0.66, 0.56), 35, 60)
        paint(blob(0.0, 0.0, 0.58, 0.48), 0, 18)
    else:  # femur: a ring or a head of bone in muscle, the pelvis at the midline's side
        paint(blob(0.0, 0.0, 1.05, 1.05, 0.12), 40, 65)
        paint((np.abs(spots) < 0.12) & (np.hypot(x, y) > 0.5), -95, -40)
        paint(blob(0.85, -0.15, 0.28, 0.62), 250, 450)
        paint(blob(0.0, 0.0, 0.46, 0.46), 380, 600)
        paint(blob(0.0, 0.0, 0.32, 0.32), 120, 280)
    return image

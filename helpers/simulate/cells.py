"""Microscopy: fluorescent nuclei with instance labels, and a stained section made by Beer-Lambert from two dye densities."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .fields import generator, smooth_noise

# Optical-density vectors (red, green, blue) of haematoxylin and of eosin, unit length:
# Ruifrok & Johnston, Analytical and Quantitative Cytology and Histology 23(4):291-299, 2001.
STAINS = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
STAINS = STAINS / np.sqrt((STAINS**2).sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Nuclei:
    image: np.ndarray  # (H, W) float32, 0 to 1
    labels: np.ndarray  # (H, W) int32, 0 background, 1..count
    touching: tuple[int, ...]  # labels that share a border with another
    seed: int


@dataclass(frozen=True)
class Histology:
    rgb: np.ndarray  # (H, W, 3) uint8
    haematoxylin: np.ndarray  # (H, W) float32, optical density along STAINS[0]
    eosin: np.ndarray  # (H, W) float32, optical density along STAINS[1]
    labels: np.ndarray  # (H, W) int32, nuclei, 0 background
    stains: np.ndarray  # (2, 3)
    seed: int


def _outline(rng: np.random.Generator, centre: tuple[float, float], radius: float, shape: tuple[int, int], stretch: float) -> tuple:
    """One nucleus as (box, depth inside 0..1 or negative outside) of a wavy ellipse."""
    turn, aspect = rng.uniform(0, np.pi), rng.uniform(1.0, stretch)
    phases, waves = rng.uniform(0, 2 * np.pi, 3), rng.uniform(0, 1, 3) * np.array([0.07, 0.05, 0.03])
    reach = int(np.ceil(radius * np.sqrt(aspect) * 1.25)) + 1
    row, column = (int(round(c)) for c in centre)
    box = (slice(max(row - reach, 0), min(row + reach + 1, shape[0])), slice(max(column - reach, 0), min(column + reach + 1, shape[1])))
    y, x = np.mgrid[box]
    dy, dx = y - centre[0], x - centre[1]
    u = (dx * np.cos(turn) + dy * np.sin(turn)) / np.sqrt(aspect)
    v = (-dx * np.sin(turn) + dy * np.cos(turn)) * np.sqrt(aspect)
    angle = np.arctan2(v, u)
    edge = 1 + sum(w * np.cos(k * angle + p) for k, w, p in zip((2, 3, 5), waves, phases, strict=True))
    return box, 1 - np.hypot(u, v) / (radius * edge)


def nuclei(*, count: int = 30, shape: tuple[int, int] = (256, 256), touching: float = 0.3, noise: float = 0.03, seed: int = 0) -> Nuclei:
    """Fluorescent nuclei (DAPI-like): chromatin texture, blur of the optics, uneven background, photon and camera noise.

    Args:
        count: number of nuclei; their size shrinks where they would not fit.
        touching: share of the nuclei that is placed against another one, 0 to 1. The others keep a gap of at least 2 pixels.
        noise: standard deviation of the camera noise; photon noise comes on top.
    """
    if count < 1 or not 0 <= touching <= 1:
        raise ValueError("count must be at least 1 and touching between 0 and 1.")
    rng = generator(seed, "nuclei")
    radius = min(0.055 * min(shape), 0.36 * np.sqrt(shape[0] * shape[1] / count))
    labels = np.zeros(shape, dtype=np.int32)
    bright = np.zeros(shape, dtype=np.float32)
    texture = smooth_noise(shape, max(radius / 4, 1.0), rng)
    centres: list[np.ndarray] = []
    sizes: list[float] = []
    wanted = round(touching * count)
    for tries in range(400 * count):
        if len(centres) == count:
            break
        shrink = 0.999 ** max(tries - 20 * count, 0)
        size = radius * rng.uniform(0.75, 1.2) * shrink
        if size < 2.5:
            break
        lean = bool(centres) and len(centres) > 1 and (count - len(centres)) <= wanted
        if lean:  # against one that lies there
            partner = int(rng.integers(len(centres)))
            angle = rng.uniform(0, 2 * np.pi)
            centre = centres[partner] + 0.98 * (size + sizes[partner]) * np.array([np.sin(angle), np.cos(angle)])
        else:
            centre = rng.uniform(size, np.array(shape) - size)
        if (centre < 0.6 * size).any() or (centre > np.array(shape) - 0.6 * size - 1).any():
            continue
        box, depth = _outline(rng, tuple(centre), size, shape, 1.6)
        inside = depth > 0
        room = ndimage.binary_dilation(inside, iterations=1 if lean else 3)
        taken = np.unique(labels[box][room if not lean else inside])
        if lean:
            overlap = (labels[box][inside] > 0).mean()
            inside = inside & (labels[box] == 0)
            near = np.unique(labels[box][ndimage.binary_dilation(inside)])
            if overlap > 0.12 or not (near > 0).any():
                continue
        elif (taken > 0).any():
            continue
        number = len(centres) + 1
        labels[box][inside] = number
        level = rng.uniform(0.45, 1.0)
        bright[box][inside] = (level * (0.65 + 0.35 * np.clip(3 * depth, 0, 1)) * (1 + 0.16 * texture[box]))[inside]
        centres.append(centre)
        sizes.append(size)
    if len(centres) < count:
        raise ValueError(f"{count} nuclei do not fit on {shape} pixels; ask for fewer.")
    glow = ndimage.gaussian_filter(bright, 0.5 * radius)
    image = ndimage.gaussian_filter(bright, 1.1) + 0.12 * glow + 0.05 + 0.015 * smooth_noise(shape, min(shape) / 3, rng)
    image = rng.poisson(np.clip(image, 0, None) * 300) / 300 + noise * rng.standard_normal(shape)
    return Nuclei(np.clip(0.85 * image, 0, 1).astype(np.float32), labels, _touching(labels), seed)


def _touching(labels: np.ndarray) -> tuple[int, ...]:
    neighbours = ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1]))
    pairs = np.concatenate([np.stack([a.ravel(), b.ravel()]) for a, b in neighbours], axis=1)
    met = pairs[:, (pairs[0] != pairs[1]) & (pairs.min(axis=0) > 0)]
    return tuple(int(v) for v in np.unique(met))


def histology(*, shape: tuple[int, int] = (256, 256), count: int = 90, seed: int = 0) -> Histology:
    """A haematoxylin-and-eosin section: glands of epithelium around a lumen, fibrous stroma, lymphocytes.

    RGB is 252 * exp(-density @ STAINS) plus camera noise of 1.5 grey levels.

    Args:
        count: nuclei that are tried; some do not find room.
    """
    rng = generator(seed, "histology")
    height, width = shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    gap = smooth_noise(shape, 0.14 * min(shape), rng)

    # One to three glands: a wavy ring of epithelium; inside it the lumen, outside the stroma.
    ring = np.full(shape, 9.0, dtype=np.float32)
    glands = []
    for _ in range(int(rng.integers(1, 4))):
        centre, size = rng.uniform(0.15, 0.85, 2) * np.array(shape), rng.uniform(0.2, 0.32) * min(shape)
        if any(np.hypot(*(centre - c)) < 0.9 * (size + s) for c, s in glands):
            continue
        glands.append((centre, size))
        ring = np.minimum(ring, np.hypot(y - centre[0], x - centre[1]) / size * (1 + 0.12 * gap))
    epithelium, lumen = (ring > 0.42) & (ring < 1), ring <= 0.42
    stroma = ring >= 1

    # Eosin: fibres run along a wavy direction; epithelial cytoplasm; red cells would be denser and are left out.
    bend = 0.05 * min(shape) * smooth_noise(shape, 0.25 * min(shape), rng)
    turn = rng.uniform(0, np.pi)
    across = (x * np.sin(turn) - y * np.cos(turn) + bend) / rng.uniform(4, 6)
    fibre = np.sin(across + 1.2 * smooth_noise(shape, 18, rng)) * 0.5 + 0.5
    fine = smooth_noise(shape, 2, rng)
    eosin = np.where(stroma, 0.22 + 0.24 * fibre + 0.05 * fine, 0.0)
    eosin = np.where(stroma & (fibre + 0.5 * gap < -0.1), 0.03, eosin)  # clefts
    eosin = np.where(epithelium, 0.30 + 0.05 * fine + 0.05 * smooth_noise(shape, 9, rng), eosin)
    eosin = ndimage.gaussian_filter(np.where(lumen, 0.015, eosin), 0.9)
    haematoxylin = np.where(epithelium, 0.10, np.where(stroma, 0.03, 0.0)) + 0.01 * fine

    labels = np.zeros(shape, dtype=np.int32)
    chromatin = smooth_noise(shape, 2.2, rng)
    unit = min(shape) / 256
    number = 0
    for _ in range(count):
        row, column = rng.uniform(0, height - 1), rng.uniform(0, width - 1)
        where = (int(row), int(column))
        if lumen[where]:
            continue
        kind = "gland" if epithelium[where] else ("lymphocyte" if rng.random() < 0.35 else "fibroblast")
        radius, stretch, level = {"gland": (7.5, 1.7, 0.75), "lymphocyte": (4.6, 1.15, 1.15), "fibroblast": (4.6, 3.6, 0.85)}[kind]
        box, depth = _outline(rng, (row, column), unit * radius * rng.uniform(0.85, 1.2), shape, stretch)
        inside = depth > 0
        if not inside.any() or (labels[box][ndimage.binary_dilation(inside)] > 0).any() or lumen[box][inside].any():
            continue
        number += 1
        labels[box][inside] = number
        rim = np.exp(-(((depth - 0.1) / 0.12) ** 2))
        dye = level * rng.uniform(0.8, 1.15) * (0.75 + 0.25 * rim + 0.16 * chromatin[box])
        haematoxylin[box][inside] = np.maximum(dye, 0.3)[inside]
        eosin[box][inside] *= 0.5
    haematoxylin = np.clip(ndimage.gaussian_filter(haematoxylin, 0.7), 0, None).astype(np.float32)
    eosin = np.clip(eosin, 0, None).astype(np.float32)
    density = haematoxylin[..., None] * STAINS[0] + eosin[..., None] * STAINS[1]
    light = 252 * np.exp(-density) + rng.normal(0, 1.5, (*shape, 3))
    rgb = np.clip(np.round(light), 0, 255).astype(np.uint8)
    return Histology(rgb, haematoxylin, eosin, labels, STAINS.copy(), seed)

"""The door to the stand-ins of public data sets: sizes, class names, patients and splits; how an image looks is in `standin_*.py`."""

from importlib import import_module

import numpy as np

from .fields import generator

# name: (module, function, training images, share of each class, class names)
_SETS = {
    "breastmnist": ("standin_grey", "breast", 546, (0.27, 0.73), ("malignant", "normal, benign")),
    "pneumoniamnist": ("standin_grey", "pneumonia", 800, (0.26, 0.74), ("normal", "pneumonia")),
    "adrenalmnist3d": ("standin_shapes", "adrenal", 320, (0.70, 0.30), ("normal", "hyperplasia")),
    "hippocampus": ("standin_shapes", "hippocampus", 36, (1.0,), ("background", "anterior", "posterior")),
    "bloodmnist": (
        "standin_colour",
        "blood",
        960,
        (0.07, 0.18, 0.09, 0.17, 0.07, 0.08, 0.20, 0.14),
        ("basophil", "eosinophil", "erythroblast", "immature granulocytes", "lymphocyte", "monocyte", "neutrophil", "platelet"),
    ),
    "pathmnist": (
        "standin_colour",
        "path",
        900,
        (0.10, 0.11, 0.12, 0.12, 0.09, 0.13, 0.09, 0.10, 0.14),
        (
            "adipose",
            "background",
            "debris",
            "lymphocytes",
            "mucus",
            "smooth muscle",
            "normal colon mucosa",
            "cancer-associated stroma",
            "colorectal adenocarcinoma epithelium",
        ),
    ),
    "organamnist": (
        "standin_organs",
        "organs",
        880,
        (0.06, 0.04, 0.04, 0.04, 0.11, 0.11, 0.18, 0.11, 0.11, 0.11, 0.09),
        (
            "bladder",
            "femur-left",
            "femur-right",
            "heart",
            "kidney-left",
            "kidney-right",
            "liver",
            "lung-left",
            "lung-right",
            "pancreas",
            "spleen",
        ),
    ),
}
STAND_INS = tuple(_SETS)
CLASSES = {name: entry[4] for name, entry in _SETS.items()}
_REPEAT = 0.15  # share of patients who come with a second image


def stand_in(name: str, *, seed: int = 0, n: int | None = None) -> dict[str, tuple]:
    """A simulated data set of the shape of a public one, for work without a network.

    Args:
        name: one of `STAND_INS`.
        n: size of the training set; None gives the usual size. Validation is about a seventh, test two sevenths of it.

    Returns:
        dict with "train", "val" and "test", each (images, labels, patients). images: (N, 28, 28), (N, 28, 28, 3) or
        (N, 28, 28, 28) uint8; labels: (N,) int64; patients: (N,) str. Some patients have two images; none is in two splits.
        For "hippocampus" images is a list of float32 volumes (about 35, 51, 35; 1 mm) and labels a list of uint8 volumes
        (0 background, 1 anterior, 2 posterior).
    """
    if name not in _SETS:
        raise ValueError(f"there is no stand-in '{name}'; there are {', '.join(STAND_INS)}.")
    module, function, usual, shares, _ = _SETS[name]
    n = usual if n is None else int(n)
    if n < 2 * len(shares):
        raise ValueError(f"n must be at least {2 * len(shares)} for '{name}', not {n}.")
    small = 2 * len(shares)
    sizes = {"train": n, "val": max(round(n / 7), small), "test": max(round(2 * n / 7), small)}
    rng = generator(seed, name)
    labels, patients, first = [], [], 0
    for size in sizes.values():
        split_labels, split_patients = _people(size, shares, rng)
        labels.append(split_labels)
        patients.append(split_patients + first)
        first = patients[-1].max() + 1
    make = getattr(import_module(f"{__package__}.{module}"), function)
    images, truth = make(np.concatenate(labels), np.concatenate(patients), rng)
    names = np.array([f"{name[:2].upper()}{patient:05d}" for patient in np.concatenate(patients)])
    result, start = {}, 0
    for split, size in sizes.items():
        part = slice(start, start + size)
        result[split] = (images[part], truth[part], names[part])
        start += size
    return result


def _people(size: int, shares: tuple[float, ...], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Labels and patient numbers of one split: exact class shares, and some patients with two images of the same class."""
    counts = np.floor(np.array(shares) * size).astype(int)
    counts = np.maximum(counts, 1)
    counts[np.argmax(shares)] += size - counts.sum()
    label = np.repeat(np.arange(len(shares)), counts)
    same = np.concatenate([[False], (label[1:] == label[:-1]) & (rng.random(size - 1) < _REPEAT)])
    same[1:] &= ~(same[:-1] & same[1:])
    patient = np.cumsum(~same) - 1
    order = rng.permutation(size)
    patient = rng.permutation(patient.max() + 1)[patient]
    return label[order].astype(np.int64), patient[order]


def per_patient(patients: np.ndarray, low: float, high: float, rng: np.random.Generator, jitter: float = 0.1) -> np.ndarray:
    """A number for each image, uniform on [low, high] over patients; images of one patient differ by at most `jitter` of the range."""
    base = rng.random(patients.max() + 1)[patients]
    return low + (high - low) * np.clip(base + jitter * (rng.random(len(patients)) - 0.5), 0, 1)

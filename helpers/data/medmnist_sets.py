"""MedMNIST: from a checked .npz to a Dataset, and MedMNIST's own classes and evaluator. Downloading lives in fetch.py."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from helpers.data import fetch
from helpers.data.core import Card, DataError, Dataset, File, Split

SPLITS = ("train", "val", "test")


def file_of(card: Card, size: int = 28) -> File:
    """The manifest's file of a set at one size.

    Raises:
        DataError: the set has no such size; the message lists those it has.
    """
    for file in card.files:
        if file.size == size:
            return file
    raise DataError(f"{card.name} has no size {size!r}: choose one of {', '.join(map(str, card.sizes))}")


def load(card: Card, size: int = 28) -> Dataset:
    """The real images of one MedMNIST set, with its official split.

    Args:
        card: the manifest's entry.
        size: edge length in pixels: 28, 64, 128 or 224; in 3-D 28 or 64.

    Returns:
        images (N, size, size) or (N, size, size, 3) or (N, size, size, size) uint8; labels (N,) int64, or (N, L) for ChestMNIST.

    Raises:
        DataError: unknown size, or the file can't be had or read.
    """
    path = fetch.ensure(file_of(card, size))
    return Dataset(card.name, card, paths=[path], **read(path, card))


def read(path: Path, card: Card) -> dict[str, Split]:
    """Read train, val and test from an .npz of the MedMNIST format.

    Raises:
        DataError: the file is no readable .npz of this format, or is larger than the memory.
    """
    splits = {}
    try:
        with np.load(path, allow_pickle=False) as arrays:
            for name in SPLITS:
                images, labels = arrays[f"{name}_images"], arrays[f"{name}_labels"].astype(np.int64)
                if labels.ndim == 2 and labels.shape[1] == 1:
                    labels = labels[:, 0]
                splits[name] = Split(images, labels)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} is no readable file of {card.title} ({type(error).__name__}): delete it and load again") from error
    except MemoryError as error:
        raise DataError(f"{card.title} at this size doesn't fit into memory: choose a smaller size, one of {card.sizes}") from error
    return splits


def official(card: Card, split: str, size: int = 28, **options: Any) -> Any:
    """MedMNIST's own `torch.utils.data.Dataset` of a split, on the file that this package fetched and checked.

    Args:
        card: the manifest's entry.
        split: "train", "val" or "test".
        size: edge length in pixels.
        options: what medmnist's class takes: transform, target_transform, as_rgb, mmap_mode.

    Raises:
        DataError: not a MedMNIST set, unknown size, or the file can't be had.
    """
    if card.kind != "medmnist":
        raise DataError(f"{card.name} is not one of MedMNIST's sets, so it has no class there: use data.load")
    path = fetch.ensure(file_of(card, size))
    import medmnist

    cls = getattr(medmnist, medmnist.INFO[card.name]["python_class"])
    return cls(split=split, download=False, root=str(path.parent), size=size, **options)


def evaluate(dataset: Dataset, scores: np.ndarray, split: str) -> dict[str, float]:
    """See `Dataset.evaluate`. Source: medmnist.evaluator of the `medmnist` package (Yang et al., Scientific Data 2023)."""
    if dataset.card.kind != "medmnist":
        raise DataError(f"{dataset.card.name} is not one of MedMNIST's sets, so MedMNIST's evaluator doesn't apply: use sklearn.metrics")
    part = dataset.splits.get(split, ())
    scores = np.asarray(scores)
    if not len(part) == len(scores) > 0:
        given = f"{len(scores)} scores were given for the {len(part)} images of {dataset.name}'s {split} split"
        raise DataError(f"{given}: give one row an image, in the split's order")
    from medmnist.evaluator import getACC, getAUC

    truth = part.labels if part.labels.ndim == 2 else part.labels[:, None]
    return {"auc": float(getAUC(truth, scores, dataset.card.task)), "acc": float(getACC(truth, scores, dataset.card.task))}

"""What takes the place of data that can't be had, with planted truth. The simulators themselves live in helpers.simulate."""

import hashlib
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from helpers.data import decathlon
from helpers.data.core import Card, DataError, Dataset, Split
from helpers.data.fetch import storage_error
from helpers.data.manifest import cache_folder


def load(card: Card, seed: int = 0, size: int = 28) -> Dataset:
    """The stand-in of a data set, in the same form as the real one.

    Args:
        card: the entry of the set to stand in for.
        seed: any whole number of at least 0; the same seed gives the same data.
        size: edge length in pixels; other sizes than 28 are resampled from 28.

    Raises:
        DataError: nothing stands in for this set.
    """
    if card.stand_in != "simulate":
        raise DataError(
            f"{card.name} has no stand-in, so it needs the downloaded data: run `python -m helpers.data prefetch {card.name}` "
            "on a machine with a network, and use profile 'laptop' or 'gpu'"
        )
    from helpers import simulate

    name = f"{card.name} (stand-in)"
    if card.kind == "heart":
        return Dataset(name, _card(card, {}), is_stand_in=True, table=simulate.heart_table(seed=seed))
    parts = simulate.stand_in(card.name, seed=seed)
    counts = {split: len(part[0]) for split, part in parts.items()}
    if card.kind == "decathlon":
        folder = write_volumes(card, parts, seed)
        splits = {split: decathlon.split_from(folder, _case_names(split, part)) for split, part in parts.items()}
        for split, part in parts.items():
            splits[split].patients = np.asarray(part[2], dtype=str)
        return Dataset(name, _card(card, counts), is_stand_in=True, paths=[folder], **splits)
    splits = {split: Split(_resize(images, size), labels.astype(np.int64), patients) for split, (images, labels, patients) in parts.items()}
    return Dataset(name, _card(card, counts), is_stand_in=True, **splits)


def _card(card: Card, counts: dict[str, int]) -> Card:
    return replace(
        card,
        title=f"{card.title} (stand-in)",
        description=f"Simulated, with planted truth, in the place of {card.title}.",
        source="simulated by this course's helpers.simulate",
        licence="none needed: simulated",
        consent="No patient is in these data.",
        split="By simulated patient.",
        citation=f"None: simulated. In its place stands: {card.citation}",
        counts=counts,
    )


def _resize(images: np.ndarray, size: int) -> np.ndarray:
    """(N, 28, 28[, 3]) or (N, 28, 28, 28) -> the same with edges of `size`; two-valued images stay two-valued."""
    if size == images.shape[1]:
        return images
    from scipy.ndimage import zoom

    spatial = 2 if images.ndim == 3 or images.shape[-1] == 3 else 3
    factors = (1,) + (size / images.shape[1],) * spatial + (1,) * (images.ndim - 1 - spatial)
    order = 0 if len(np.unique(images[:8])) == 2 else 1
    return zoom(images, factors, order=order, grid_mode=True, mode="nearest")


def _case_names(split: str, part: tuple) -> list[str]:
    return [f"hippocampus_{split}_{index:03d}" for index in range(len(part[0]))]


def write_volumes(card: Card, parts: dict[str, tuple], seed: int) -> Path:
    """Write simulated volumes as NIfTI, laid out like the real archive, in one move; into a temporary folder if the cache can't be written.

    Args:
        card: the entry of the set to stand in for.
        parts: split -> (images, labels, patients); images and labels lists of (X, Y, Z) volumes at 1 mm.
        seed: what they were simulated with.

    Returns:
        The folder that holds imagesTr and labelsTr.

    Raises:
        DataError: the temporary folder can't be written either.
    """
    digest = hashlib.sha256()
    for images, labels, _ in parts.values():
        for volume in (*images, *labels):
            digest.update(np.ascontiguousarray(volume).tobytes())
    folder = f"{card.name}-seed{seed}-{digest.hexdigest()[:12]}"
    try:
        return _write_below(cache_folder() / "stand_ins", folder, parts)
    except OSError:
        root = Path(tempfile.gettempdir()) / "dlmia-stand-ins"
        try:
            return _write_below(root, folder, parts)
        except OSError as error:
            raise storage_error(error, root) from error


def _write_below(root: Path, folder: str, parts: dict[str, tuple]) -> Path:
    import nibabel as nib

    target = root / folder
    if target.is_dir():
        return target
    root.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=root, prefix=".partial-"))
    try:
        for part in ("imagesTr", "labelsTr"):
            (work / part).mkdir()
        for split, part in parts.items():
            for case, image, label in zip(_case_names(split, part), part[0], part[1], strict=True):
                nib.save(nib.Nifti1Image(image.astype(np.float32), np.eye(4)), work / "imagesTr" / f"{case}.nii.gz")
                nib.save(nib.Nifti1Image(label.astype(np.uint8), np.eye(4)), work / "labelsTr" / f"{case}.nii.gz")
        try:
            os.rename(work, target)
        except OSError:
            if not target.is_dir():  # else another process was faster, with the same volumes
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def simulated(card: Card, seed: int = 0) -> Dataset:
    """A set that is simulated to begin with, and stands in for nothing: its table, and its images if it has any.

    Raises:
        DataError: helpers.simulate has no such function.
    """
    from helpers import simulate

    function = getattr(simulate, card.options["function"], None)
    if function is None:
        raise DataError(f"helpers.simulate has no {card.options['function']!r}: correct the manifest's entry {card.name}")
    made = function(seed=seed)
    return Dataset(card.name, card, table=getattr(made, "table", None), image=getattr(made, "images", getattr(made, "labels", None)))

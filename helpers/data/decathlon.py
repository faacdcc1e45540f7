"""The hippocampus task of the Medical Segmentation Decathlon: folders of NIfTI files to a Dataset. Downloading lives in fetch.py."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from helpers.data import fetch
from helpers.data.core import Card, DataError, Dataset, Split

FEWEST = 20  # cases; below that a split would be empty or meaningless


def load(card: Card) -> Dataset:
    """The training cases that are on disk (the test cases of the challenge have no public labels), split by case.

    Returns:
        `.train`, `.val`, `.test` with `.images` and `.labels` lists of paths in the same order, `.patients` (N,) the case ids.

    Raises:
        DataError: the archive can't be had, or the folder holds fewer than 20 complete cases.
    """
    folder = fetch.ensure(card.files[0])
    cases = complete_cases(folder)
    if len(cases) < FEWEST:
        raise DataError(f"{folder} holds only {len(cases)} cases that have both image and label: delete the folder and load again")
    splits = {}
    for name in ("train", "val", "test"):
        ids = [case for case in cases if split_of(case) == name]
        splits[name] = split_from(folder, ids)
    return Dataset(card.name, card, paths=[folder], **splits)


def complete_cases(folder: Path) -> list[str]:
    """Case ids, sorted, that have a file in both imagesTr and labelsTr."""

    def ids(part: str) -> set[str]:
        return {path.name.removesuffix(".nii.gz") for path in (folder / part).glob("*.nii.gz") if not path.name.startswith(".")}

    return sorted(ids("imagesTr") & ids("labelsTr"))


def split_of(case: str) -> str:
    """ "train" (70 %), "val" (10 %) or "test" (20 %), from a hash of the case id alone: a case never changes sides when others appear."""
    percent = int(hashlib.sha256(case.encode()).hexdigest(), 16) % 100
    return "train" if percent < 70 else "val" if percent < 80 else "test"


def split_from(folder: Path, ids: Iterable[str]) -> Split:
    """The paths of these cases as a Split."""
    ids = list(ids)
    images = [folder / "imagesTr" / f"{case}.nii.gz" for case in ids]
    labels = [folder / "labelsTr" / f"{case}.nii.gz" for case in ids]
    return Split(images, labels, np.array(ids, dtype=str))


def verify(card: Card) -> str:
    """Read every case from end to end; "" if all can be read and image and label have one shape, else half a sentence."""
    import nibabel as nib

    folder = fetch.find(card.files[0].unpack)
    cases = complete_cases(folder)
    for case in cases:
        try:
            image, label = (nib.load(folder / part / f"{case}.nii.gz") for part in ("imagesTr", "labelsTr"))
            same = image.shape == label.shape == np.asanyarray(image.dataobj).shape == np.asanyarray(label.dataobj).shape
        except Exception as error:  # a damaged file fails in many ways, each of them the answer
            return f"{case} can't be read ({type(error).__name__})"
        if not same:
            return f"image and label of {case} differ in shape"
    return "" if len(cases) >= FEWEST else f"only {len(cases)} complete cases"

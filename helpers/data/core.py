"""What `load` hands out: Dataset, Split and Card, the one error, and the banner of a stand-in. Nothing here reads a file."""

import html
import sys
import textwrap
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np


class DataError(RuntimeError):
    """Data can't be had; the message is one sentence that says what is wrong, where, and what to do."""


@dataclass(frozen=True)
class File:
    """One file of a data set, as the manifest states it.

    Attributes:
        path: where it lies below the data directory, with forward slashes, such as "medmnist/breastmnist.npz".
        addresses: where it can be fetched, in the order to try; after a `#` stands the member to take out of a zip archive.
        checksum: "md5:..." or "sha256:...".
        bytes: its length, where the publisher's file was measured; None if it wasn't.
        size: edge length in pixels, for sets that come in several sizes.
        unpack: the folder below the data directory that the file, a tar archive, turns into.
    """

    path: str
    addresses: tuple[str, ...]
    checksum: str
    bytes: int | None = None
    size: int | None = None
    unpack: str | None = None


@dataclass(frozen=True)
class Card:
    """A data card: the manifest's entry of one data set. Read fields by attribute or by key (`card.licence`, `card["licence"]`).

    Attributes:
        name: the name to load it by.
        kind: who reads it ("medmnist", "decathlon", "heart", "packaged", "weights" or "simulated").
        title, description: what it is.
        task, modality: what it is for, and how its images were made.
        source: where it comes from, in words (a package, a repository).
        licence: the licence that its publisher states; "see ..." where none is stated.
        citation: what to cite.
        consent: what is known of consent, ethics and privacy.
        split: how train, validation and test were divided, above all whether by patient.
        classes: label -> meaning.
        shape: of one image at its smallest size; columns for a table.
        counts: split -> number of images.
        lectures: the lectures that use it.
        stand_in: "simulate" (planted truth), the name of a packaged set, or "none".
        files: what is downloaded; empty for what a package ships.
        options: what its reader needs to know (package, function, units).
    """

    name: str
    kind: str
    title: str
    task: str
    modality: str
    licence: str
    citation: str
    description: str = ""
    source: str = ""
    consent: str = ""
    split: str = ""
    classes: dict[int, str] = field(default_factory=dict)
    shape: tuple[int, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    lectures: tuple[str, ...] = ()
    stand_in: str = "none"
    files: tuple[File, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, key: str) -> Any:
        if key not in {f.name for f in fields(self)}:
            raise KeyError(key)
        return getattr(self, key)

    def get(self, key: str, default: Any = None) -> Any:
        """The field, or `default` where the card has no such field."""
        return getattr(self, key) if key in {f.name for f in fields(self)} else default

    @property
    def sizes(self) -> tuple[int, ...]:
        """Edge lengths in pixels that can be asked for; empty where there is only one size."""
        return tuple(f.size for f in self.files if f.size)

    def rows(self) -> list[tuple[str, str]]:
        """(heading, text) of what a reader of a data card wants to know, without empty rows."""
        classes = "; ".join(f"{k} {v}" for k, v in self.classes.items())
        counts = ", ".join(f"{k} {v}" for k, v in self.counts.items())
        rows = [
            ("What", self.description or self.title),
            ("Task", self.task),
            ("Modality", self.modality),
            ("Classes", classes),
            ("Images", counts),
            ("From", self.source),
            ("Licence", self.licence),
            ("Consent", self.consent),
            ("Split", self.split),
            ("Cite", self.citation),
        ]
        return [(heading, text) for heading, text in rows if text]

    def _repr_html_(self) -> str:
        left = "style='text-align:left'"
        body = "".join(f"<tr><th {left}>{h}</th><td {left}>{html.escape(t)}</td></tr>" for h, t in self.rows())
        return f"<table><caption><b>{html.escape(self.title)}</b></caption>{body}</table>"


@dataclass
class Split:
    """One part of a data set.

    Attributes:
        images: (N, H, W) or (N, H, W, 3) or (N, D, H, W) uint8; a list of N paths for sets of files.
        labels: (N,) int64, or (N, L) for several labels an image; a list of N paths where the label is an image.
        patients: (N,) str, who each image shows, or None where the publisher doesn't say.
    """

    images: Any
    labels: Any
    patients: np.ndarray | None = None

    def __post_init__(self) -> None:
        if len(self.images) != len(self.labels) or (self.patients is not None and len(self.patients) != len(self.images)):
            raise DataError("a split holds unequal numbers of images, labels and patients: fetch the data set again")

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        what = f"{self.images.shape[1:]} {self.images.dtype}" if hasattr(self.images, "shape") else "files"
        return f"Split({len(self)} x {what})"


@dataclass
class Dataset:
    """A loaded data set; which fields are filled depends on its kind.

    Attributes:
        name: the name it was loaded by, with " (stand-in)" behind it if it is one.
        card: what it is, whose, and under which licence (for a stand-in: of the set it stands in for).
        is_stand_in: True if these are not the data that the name promises.
        train, val, test: the splits; None for tables and single images.
        table: a pandas DataFrame, for tabular sets.
        image: one image or volume as an array, for packaged images (its unit stands in the card's options).
        volumes: name -> array, where a set ships several volumes on one grid.
        spacing: millimetres (or the card's unit) per pixel along each array axis, where known.
        affine: (4, 4) voxel index -> world millimetres (RAS), for volumes.
        paths: the files on disk.
    """

    name: str
    card: Card
    is_stand_in: bool = False
    train: Split | None = None
    val: Split | None = None
    test: Split | None = None
    table: Any = None
    image: np.ndarray | None = None
    volumes: dict[str, np.ndarray] = field(default_factory=dict)
    spacing: tuple[float, ...] | None = None
    affine: np.ndarray | None = None
    paths: list[Path] = field(default_factory=list)

    @property
    def splits(self) -> dict[str, Split]:
        """The splits there are, by name."""
        return {n: s for n in ("train", "val", "test") if (s := getattr(self, n)) is not None}

    def evaluate(self, scores: np.ndarray, split: str = "test") -> dict[str, float]:
        """AUC and accuracy by MedMNIST's own evaluator, so that they compare with published figures.

        Args:
            scores: (N,) or (N, C) probabilities of the split's images, in its order.
            split: "train", "val" or "test".

        Returns:
            {"auc": ..., "acc": ...}, each 0 to 1.

        Raises:
            DataError: the set isn't of MedMNIST, or the number of scores is not the number of images.
        """
        from helpers.data import medmnist_sets

        return medmnist_sets.evaluate(self, scores, split)

    def __repr__(self) -> str:
        if self.splits:
            what = ", ".join(f"{n} {len(s)}" for n, s in self.splits.items())
        elif self.table is not None:
            what = f"table {self.table.shape[0]} x {self.table.shape[1]}"
        elif self.image is not None:
            what = f"image {self.image.shape} {self.image.dtype}"
        else:
            what = f"{len(self.paths)} files"
        return f"{self.name}: {what} | {self.card.modality} | {textwrap.shorten(self.card.licence, 60, placeholder=' ...')}"

    def _repr_html_(self) -> str:
        banner = banner_html(self.name, "") if self.is_stand_in else ""
        return f"{banner}<p><b>{html.escape(repr(self))}</b></p>{self.card._repr_html_()}"


def banner_html(name: str, reason: str) -> str:
    """A box in bold that says that these are not the real data; white on dark red, readable in print too."""
    text = f"STAND-IN: {html.escape(name)} is simulated, not real data. {html.escape(reason)}"
    return f"<div role='alert' style='border:4px solid #8b0000;background:#8b0000;color:#fff;padding:.6em;font-weight:bold'>{text}</div>"


def announce_stand_in(name: str, reason: str) -> None:
    """Say in a way that can't be missed that a stand-in is in use: a bold box in a notebook, a line of text elsewhere.

    Args:
        name: of the data set, as asked for.
        reason: one sentence, why the real data are not used.
    """
    line = f"*** STAND-IN: {name} is simulated, not real data. {reason} ***"
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None and hasattr(shell, "kernel"):
        from IPython.display import display

        wrapped = "\n".join(textwrap.wrap(line, 100))
        display({"text/html": banner_html(name, reason), "text/plain": wrapped}, raw=True)
    else:
        print(line, flush=True)

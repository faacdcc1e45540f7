"""The only door to data: `load` a set, find its `path`, read its `card`. What exists stands in data_manifest.yaml, nowhere else.

    from helpers import data
    breast = data.load("breastmnist", profile=PROFILE)      # real data, or a stand-in that says so
    breast.train.images, breast.train.labels                # (546, 28, 28) uint8, (546,) int64
    data.path("ct_small")                                   # a real DICOM file that a package ships
    data.card("breastmnist")                                # what, whose, which licence, how it was split

Data are looked for in the folder that the environment variable DLMIA_DATA names, then in the platform's cache folder, then downloaded
into the first of the two (a read-only folder is only read).
`python -m helpers.data list | prefetch | verify` does the same from a shell.
"""

from pathlib import Path
from typing import Any

from helpers.data.core import Card, DataError, Dataset, File, Split, announce_stand_in
from helpers.data.manifest import card, cards

__all__ = ["Card", "DataError", "Dataset", "File", "Split", "card", "load", "names", "official", "path"]

PROFILES = ("ci", "laptop", "gpu")
SHIPPED = ("packaged", "weights")  # kinds that come with an installed package: never a stand-in, in no profile


def names(lecture: str | None = None) -> list[str]:
    """Every name that `load` knows, or those that one lecture uses (by its name or its number: "04_classification" or "04")."""
    return [c.name for c in cards().values() if lecture is None or any(used == lecture or used[:2] == lecture for used in c.lectures)]


def load(
    name: str, profile: str = "laptop", *, size: int | None = None, stand_in: str | None = None, seed: int = 0, **options: Any
) -> Dataset:
    """A data set by name.

    Args:
        name: one of `names()`.
        profile: "ci" always takes the stand-in, so that every machine gets the same numbers (what packages ship is real everywhere);
            "laptop" and "gpu" take the real data, and the stand-in, visibly, if these can't be had.
        size: edge length in pixels, for MedMNIST sets: 28 (the default), 64, 128 or 224; in 3-D 28 or 64.
        stand_in: "always"; "auto", the default, if the real data can't be had; "never", which raises instead.
        seed: of the stand-in.
        options: what one set alone knows, such as `resolution=2` (mm) for "mni152".

    Returns:
        The data set; which fields are filled depends on its kind (images in splits, a table, one image, paths).

    Raises:
        DataError: unknown name, size, profile or option, or the data can't be had and nothing may stand in. One sentence says what to do.
    """
    entry = card(name)
    if profile not in PROFILES:
        raise DataError(f"there is no profile {profile!r}: choose one of {', '.join(map(repr, PROFILES))}")
    if stand_in not in (None, "always", "auto", "never"):
        raise DataError(f"stand_in can't be {stand_in!r}: choose 'always', 'auto' or 'never'")
    _check_options(entry, size, options)
    if entry.kind in SHIPPED:
        from helpers.data import packaged

        return packaged.load(entry, **options)
    if entry.kind == "simulated":
        from helpers.data import stand_ins

        return stand_ins.simulated(entry, seed)
    if profile == "ci" and stand_in == "never":
        raise DataError(f"profile 'ci' always takes the stand-in, so {name} can't be loaded with stand_in='never': use profile 'laptop'")
    if profile == "ci" or stand_in == "always":
        reason = "Profile 'ci' always uses it, so that every machine gets the same numbers." if profile == "ci" else "It was asked for."
        return _stand_in(entry, size, seed, reason)
    try:
        return _real(entry, size)
    except DataError as error:
        if stand_in == "never" or entry.stand_in == "none":
            raise
        return _stand_in(entry, size, seed, f"Reason: {error}.")


def _check_options(entry: Card, size: int | None, options: dict[str, Any]) -> None:
    known = {"resolution"} if entry.options.get("reader") == "template" else set()
    for option in options:
        if option not in known:
            raise DataError(f"{entry.name} has no option {option!r}: it has {', '.join(sorted(known)) or 'none'}")
    if size is None:
        return
    if entry.kind != "medmnist":
        raise DataError(f"{entry.name} comes in one size only: leave `size` out")
    from helpers.data import medmnist_sets

    medmnist_sets.file_of(entry, size)


def _real(entry: Card, size: int | None) -> Dataset:
    from helpers.data import decathlon, heart, medmnist_sets

    if entry.kind == "medmnist":
        return medmnist_sets.load(entry, size or 28)
    return decathlon.load(entry) if entry.kind == "decathlon" else heart.load(entry)


def _stand_in(entry: Card, size: int | None, seed: int, reason: str) -> Dataset:
    from helpers.data import stand_ins

    dataset = stand_ins.load(entry, seed, size or 28)
    announce_stand_in(entry.name, reason)
    return dataset


def path(name: str, *, size: int | None = None) -> Path:
    """The file or folder of a set on disk, fetched if need be; of a set with several files the folder that holds them.

    Args:
        name: one of `names()`.
        size: edge length in pixels, for MedMNIST sets.

    Raises:
        DataError: unknown name or size, it can't be had, or it has no file (a simulated set).
    """
    entry = card(name)
    _check_options(entry, size, {})
    if entry.kind in SHIPPED:
        from helpers.data import packaged

        return packaged.files(entry)[0]
    if entry.kind == "simulated":
        raise DataError(f"{name} is simulated when it is loaded and has no file: use data.load({name!r})")
    from helpers.data import fetch, medmnist_sets

    if entry.kind == "medmnist":
        return fetch.ensure(medmnist_sets.file_of(entry, size or 28))
    paths = [fetch.ensure(file) for file in entry.files]
    return paths[0] if len(paths) == 1 else paths[0].parent


def official(name: str, split: str, *, size: int = 28, **options: Any) -> Any:
    """MedMNIST's own torch Dataset of a split ("train", "val", "test"), on the file that was fetched and checked here.

    Args:
        name: a MedMNIST set.
        split: "train", "val" or "test".
        size: edge length in pixels.
        options: what medmnist's class takes: transform, target_transform, as_rgb, mmap_mode.

    Raises:
        DataError: not a MedMNIST set, unknown size, or the file can't be had. There is no stand-in here.
    """
    from helpers.data import medmnist_sets

    return medmnist_sets.official(card(name), split, size, **options)

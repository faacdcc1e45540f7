"""The manifest and the data directory: what exists, and where it lies. Nothing here downloads or reads data."""

import difflib
import os
from functools import cache
from pathlib import Path
from typing import Any

from helpers.data.core import Card, DataError, File

VARIABLE = "DLMIA_DATA"  # the environment variable that names the user's data directory
KINDS = ("medmnist", "decathlon", "heart", "packaged", "weights", "simulated")
NEEDED = ("kind", "title", "task", "modality", "licence", "citation", "stand_in")


def manifest_path() -> Path:
    """The manifest: in a wheel inside the package, in a checkout at its root.

    Raises:
        DataError: neither is there.
    """
    package = Path(__file__).resolve().parents[1]
    for place in (package / "data_manifest.yaml", package.parent / "data_manifest.yaml"):
        if place.is_file():
            return place
    raise DataError("data_manifest.yaml is missing from the installation: install the course's package again")


def read_manifest(path: Path) -> dict[str, Card]:
    """Every data card of a manifest, by name, in the manifest's order.

    Args:
        path: a YAML file: `sets: {name: entry}`; top-level `defaults: {kind: entry}` fill in what an entry leaves out.

    Raises:
        DataError: the file is no YAML, or an entry lacks a field, names an unknown one, or has an unknown kind or a bad checksum.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # in C where there is one
        entries = dict(document["sets"])
        defaults = dict(document.get("defaults") or {})
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError) as error:
        raise DataError(f"the manifest {path} can't be read ({type(error).__name__}): install the course's package again") from error
    return {name: _card(name, {**defaults.get(entry.get("kind"), {}), **entry}, path) for name, entry in entries.items()}


def _card(name: str, entry: dict[str, Any], path: Path) -> Card:
    missing = [key for key in NEEDED if not entry.get(key)]
    unknown = [key for key in entry if key not in Card.__dataclass_fields__ or key == "name"]
    wrong = f"lacks {', '.join(missing)}" if missing else f"has an unknown field {unknown[0]}" if unknown else ""
    if not wrong and entry["kind"] not in KINDS:
        wrong = f"has an unknown kind {entry['kind']}"
    if wrong:
        raise DataError(f"{path.name}: the entry {name} {wrong}: correct the manifest")
    values = dict(entry)
    for key in ("shape", "lectures"):
        values[key] = tuple(entry.get(key) or ())
    values["files"] = tuple(_file(name, f, path) for f in entry.get("files") or ())
    return Card(name=name, **values)


def _file(name: str, entry: dict[str, Any], path: Path) -> File:
    algorithm = next((a for a in ("sha256", "md5") if entry.get(a)), None)
    relative = Path(entry.get("path", ""))
    inside = entry.get("path") and not relative.is_absolute() and ".." not in relative.parts
    if not (inside and algorithm and entry.get("addresses")):
        raise DataError(f"{path.name}: a file of {name} needs a relative path, an address, and an md5 or sha256: correct the manifest")
    return File(
        path=entry["path"],
        addresses=tuple(entry["addresses"]),
        checksum=f"{algorithm}:{entry[algorithm]}",
        bytes=entry.get("bytes"),
        size=entry.get("size"),
        unpack=entry.get("unpack"),
    )


@cache
def _cards(path: Path, _changed: int) -> dict[str, Card]:
    return read_manifest(path)


def cards() -> dict[str, Card]:
    """Every data card, by name (the manifest is read once, and again when it changes)."""
    path = manifest_path()
    return _cards(path, path.stat().st_mtime_ns)


def card(name: str) -> Card:
    """The data card of one set.

    Raises:
        DataError: there is no such name; the message offers the nearest ones.
    """
    known = cards()
    if name in known:
        return known[name]
    simple = {key.replace("_", "").replace("-", "").lower(): key for key in known}
    near = difflib.get_close_matches(str(name).replace("_", "").replace("-", "").lower(), simple, n=2, cutoff=0.7)
    hint = f"did you mean {' or '.join(repr(simple[n]) for n in near)}?" if near else "`python -m helpers.data list` shows every name"
    raise DataError(f"there is no data set called {name!r}: {hint}")


def cache_folder() -> Path:
    """The platform's cache folder for this course; need not exist yet."""
    import pooch

    return Path(pooch.os_cache("dlmia"))


def places() -> list[Path]:
    """Folders to look for data in, in order: the user's data directory if the environment names one, then the platform's cache."""
    named = os.environ.get(VARIABLE, "").strip()
    return [*([Path(named).expanduser().absolute()] if named else []), cache_folder()]


def store() -> Path:
    """The folder that downloads go to: the first of `places` that nobody marked read-only.

    The marks decide, not the right to write: an administrator may write anywhere, but a read-only directory is meant to stay as it is.
    """
    candidates = places()
    for place in candidates[:-1]:
        if not (place.is_dir() and place.stat().st_mode & 0o222 == 0):
            return place
    return candidates[-1]

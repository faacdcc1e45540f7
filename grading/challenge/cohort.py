"""The held-out cohort: its key, what is given out, and the labels that stay. Nothing here looks at a submission."""

import csv
import io
import os
import secrets
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import yaml

from grading.challenge.scoring import Truth
from grading.files import write_text
from grading.sources import ROOT, SourceError
from helpers import challenge

FOLDER, KEY, TRUTH, RULES, RELEASE = "challenge", "key", "truth.csv", "rules.yaml", "release"
BITS, PUBLIC_SHARE = 128, 0.4

README = """# The challenge

`train.npz` holds {train} chest films of a home hospital with labels, `heldout.npz` {held} films of another hospital without.
All are simulated; no child is in them.

- `images` (N, 28, 28) uint8; `cases`, the name of a film; `patients`, whom it shows (one to three films); `labels`, 1 for pneumonia.
- Hand in a file `case,probability` with a line for each held-out film, in your folder `challenge/`, under any name that ends in `.csv`.
- {attempts} attempts a team, {per_day} a day (calendar day of {zone}); what is over the day's number waits for the next day.
- A file that is not well formed costs no attempt, for the answer to it does not depend on a label. `helpers.challenge.write` tells you at home.
- The leaderboard shows the AUC on a part of the patients, in steps of {step:g}, and only if it rose by more than that. The other part decides
  at the end, by your **last** valid file. Nobody is told who is in which part.
- How the films are made is public (`helpers/challenge.py`) but for one number of 128 random bits. You may simulate as many films as you
  like, and say so in your report.
"""


@dataclass(frozen=True)
class Rules:
    """How often a team may ask, and how finely it is answered."""

    attempts: int = 20
    per_day: int = 2
    step: float = 0.02


def make(
    course: Path,
    zone: str,
    rules: Rules | None = None,
    train: int = challenge.TRAIN_PATIENTS,
    held: int = challenge.HELD_OUT_PATIENTS,
) -> Path:
    """Draw the key, if there is none, and write what is given out and what stays; a second call writes the same again.

    Args:
        course: the course directory, outside the repository or ignored by it; zone: name of the time zone in which days are counted.
        rules: None for those that stand in the course directory, or the usual ones; train, held: numbers of patients.

    Returns:
        The folder to give out.

    Raises:
        SourceError: the key would lie in the repository, or the labels there are not those that the key gives now.
    """
    folder = course / FOLDER
    _refuse_inside_repository(folder)
    rules = rules or read_rules(course)
    if not (folder / KEY).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        _write_secret(folder / KEY, f"{secrets.randbits(BITS):0{BITS // 4}x}\n")
    key = int((folder / KEY).read_text(encoding="utf-8"), 16)
    if key.bit_length() < BITS - 32:
        raise SourceError(f"{folder / KEY} could be guessed: it must hold {BITS} random bits. Delete it, and let `challenge make` draw one.")
    home, away = challenge.cohort(key, "home", train), challenge.cohort(key, "away", held)
    text = _truth_text(key, away)
    if (folder / TRUTH).is_file() and (folder / TRUTH).read_text(encoding="utf-8") != text:
        raise SourceError(
            f"{folder / TRUTH} is not what the key gives now, so another version of this course made it. Score with that version, "
            "or move the whole folder away to begin anew."
        )
    _write_secret(folder / TRUTH, text)
    write_text(folder / RULES, yaml.safe_dump(asdict(rules), sort_keys=False))
    release = folder / RELEASE
    release.mkdir(exist_ok=True)
    _save(release / "train.npz", images=home.images, cases=home.cases, patients=home.patients, labels=home.labels)
    _save(release / "heldout.npz", images=away.images, cases=away.cases, patients=away.patients)
    challenge.write(release / "example.csv", away.cases, np.full(len(away), 0.5))
    write_text(release / "README.md", README.format(train=len(home), held=len(away), zone=zone, **asdict(rules)))
    return release


def read_rules(course: Path) -> Rules:
    """The rules of a course directory, or the usual ones.

    Raises:
        SourceError: the file holds something else.
    """
    path = course / FOLDER / RULES
    if not path.is_file():
        return Rules()
    try:
        rules = Rules(**yaml.safe_load(path.read_text(encoding="utf-8")))
        if rules.attempts < 1 or rules.per_day < 1 or not 0 < rules.step < 0.5:
            raise ValueError
    except (TypeError, ValueError, yaml.YAMLError):
        raise SourceError(f"{path} must hold attempts and per_day, of at least 1, and step, above 0 and below 0.5.") from None
    return rules


def read_truth(course: Path) -> dict[str, Truth]:
    """The held-out labels of both parts: "public" is what the leaderboard sees, "private" decides; cases in the order of the release.

    Raises:
        SourceError: there are none.
    """
    path = course / FOLDER / TRUTH
    if not path.is_file():
        raise SourceError(f"{path} is missing: run `python -m grading challenge make --course {course}` first.")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = {}
    for part in ("public", "private"):
        some = [row for row in rows if row["part"] == part]
        labels = np.array([int(row["label"]) for row in some])
        found[part] = Truth(np.array([row["case"] for row in some]), labels, np.array([row["patient"] for row in some]))
    return found


def _truth_text(key: int, away: challenge.Cohort) -> str:
    """Labels and parts as a table. Parts are drawn by patient, and hold the same share of sick ones."""
    sick = dict(zip(away.patients, away.labels, strict=True))
    part = {}
    for label in (0, 1):
        people = sorted((patient for patient in sick if sick[patient] == label), key=lambda patient: challenge._name(key, "part", patient))
        for k, patient in enumerate(people):
            part[patient] = "public" if k < PUBLIC_SHARE * len(people) else "private"
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("case", "patient", "label", "part"))
    for case, patient, label in zip(away.cases, away.patients, away.labels, strict=True):
        writer.writerow((case, patient, int(label), part[patient]))
    return out.getvalue()


def _save(path: Path, **arrays: np.ndarray) -> None:
    """An .npz in one move; the same arrays give the same bytes, since NumPy writes no time of day into it."""
    part = path.with_name(f".{path.name}")
    with part.open("wb") as file:
        np.savez_compressed(file, **arrays)
    part.replace(path)


def _write_secret(path: Path, text: str) -> None:
    """A file that only its owner can read, from its first byte on, in one move."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
    os.replace(name, path)


def _refuse_inside_repository(folder: Path) -> None:
    """A key that git would commit is no secret."""
    place = folder.resolve() / KEY
    if not place.is_relative_to(ROOT):
        return
    try:
        ignored = subprocess.run(["git", "-C", str(ROOT), "check-ignore", "-q", str(place)], capture_output=True).returncode == 0
    except OSError:
        ignored = False
    if not ignored:
        raise SourceError(f"{place} would lie in the repository, where a commit publishes it: choose a course directory outside, such as ../course.")

"""The project's challenge, on a team's side: simulated films, a cohort to practise on, the file of predictions. No held-out label is here."""

import csv
import hmac
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

COLUMNS = ("case", "probability")
MOST_BYTES = 1_000_000
TRAIN_PATIENTS, HELD_OUT_PATIENTS = 400, 500


@dataclass(frozen=True)
class Cohort:
    """Chest films of one hospital, sorted by case.

    Attributes:
        images: (N, 28, 28) uint8; cases: (N,) str, a random name for each film; patients: (N,) str, who it shows: one to three films each.
        labels: (N,) int64, 1 for pneumonia; None where they are held out.
    """

    images: np.ndarray
    cases: np.ndarray
    patients: np.ndarray
    labels: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.images)


def cohort(key: int, hospital: str, patients: int) -> Cohort:
    """Films of a simulated hospital. Everything about them is public but the key.

    Args:
        key: who knows it, knows every label. The instructor's has 128 random bits, so that nobody finds it by trying.
        hospital: "home", or any other word: another hospital has its own exposure, sharpness, noise and share of sick children, drawn from the key.
        patients: how many.
    """
    from helpers.simulate.fields import generator
    from helpers.simulate.standin_grey import pneumonia

    rng = generator(key, "challenge", hospital)
    share = 0.5 if hospital == "home" else float(rng.uniform(0.3, 0.6))
    sick = (np.arange(patients) < round(share * patients)).astype(np.int64)
    rng.shuffle(sick)
    films = rng.choice([1, 2, 3], size=patients, p=[0.7, 0.2, 0.1])  # drawn without a look at the label
    owner = np.repeat(np.arange(patients), films)
    images, labels = pneumonia(sick[owner], owner, rng)
    if hospital != "home":
        images = _another_machine(images, rng)
    cases = np.array([_name(key, hospital, "film", k) for k in range(len(owner))])
    people = np.array([_name(key, hospital, "patient", k) for k in owner])
    order = np.argsort(cases)  # by a random name: the order tells nothing
    return Cohort(images[order], cases[order], people[order], labels[order])


def _another_machine(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same films from a machine with its own sharpness, contrast, shading and noise, alike for sick and healthy."""
    from scipy import ndimage

    blur, gamma, noise = rng.uniform(0.3, 0.7), rng.choice([rng.uniform(0.6, 0.8), rng.uniform(1.3, 1.7)]), rng.uniform(0.01, 0.04)
    films = ndimage.gaussian_filter(images / 255.0, (0, blur, blur)) ** gamma
    tilt = rng.normal(0, 0.1, (2, 1, 1, 1)) * np.linspace(-1, 1, 28)
    films = films * (1 + tilt[0] + tilt[1].swapaxes(-1, -2)) + noise * rng.standard_normal(images.shape)
    return np.round(255 * np.clip(films, 0, 1)).astype(np.uint8)


def _name(key: int, *words: str | int) -> str:
    """A name that tells nothing to who has not the key."""
    return hmac.new(str(key).encode(), "/".join(map(str, words)).encode(), "sha256").hexdigest()[:12]


def practice(seed: int = 0, train: int = TRAIN_PATIENTS, held_out: int = HELD_OUT_PATIENTS) -> tuple[Cohort, Cohort]:
    """A challenge of your own, with all labels: a home cohort to train on, and another hospital's. Other seeds give other machines."""
    return cohort(seed, "home", train), cohort(seed, "away", held_out)


def load(folder: str | Path) -> tuple[Cohort, Cohort]:
    """What the instructor gave out: the home cohort with labels, and the held-out one without.

    Raises:
        ValueError: a file is missing or is no such cohort.
    """
    found = []
    for name in ("train.npz", "heldout.npz"):
        path = Path(folder) / name
        try:
            with np.load(path, allow_pickle=False) as file:
                found.append(Cohort(**{key: file[key] for key in file.files}))
        except (OSError, ValueError, TypeError) as problem:
            raise ValueError(f"{path} can't be read ({type(problem).__name__}): copy the folder that you were given again") from None
    return found[0], found[1]


def write(path: str | Path, cases: np.ndarray, probabilities: np.ndarray) -> Path:
    """Write a file of predictions: `case,probability`, a line a film.

    Raises:
        ValueError: it would be refused; the sentence says why.
    """
    lines = [",".join(COLUMNS), *(f"{case},{float(value):.6g}" for case, value in zip(cases, probabilities, strict=True))]
    text = "\n".join(lines) + "\n"
    read(text.encode(), [str(case) for case in cases])
    Path(path).write_text(text, encoding="utf-8")
    return Path(path)


def read(content: bytes, cases: list[str]) -> dict[str, float]:
    """The predictions of a file, by case. Whether a file is well formed does not depend on any label: look at home, it costs no attempt.

    Args:
        content: the file's bytes; cases: those that are held out.

    Raises:
        ValueError: what is wrong, in one sentence.
    """
    if len(content) > MOST_BYTES:
        raise ValueError(f"the file has {len(content)} bytes; predictions need fewer than {MOST_BYTES}")
    try:
        text = content.decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error):
        raise ValueError("the file is no CSV in UTF-8: save it as 'CSV UTF-8', or use helpers.challenge.write") from None
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    if not rows or tuple(cell.strip() for cell in rows[0]) != COLUMNS:
        seen = ",".join(rows[0])[:60] if rows else "nothing"
        raise ValueError(f"the first line must read case,probability, with a comma; it reads {seen!r}")
    known, found = set(cases), {}
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != 2:
            raise ValueError(f"line {number} has {len(row)} values instead of two")
        case = row[0].strip()
        if case not in known:
            raise ValueError(f"line {number}: there is no case {case[:30]!r}")
        if case in found:
            raise ValueError(f"line {number}: case {case} stands twice")
        found[case] = _probability(row[1], number)
    if missing := len(known) - len(found):
        first = next(case for case in cases if case not in found)
        raise ValueError(f"{missing} of {len(known)} cases are missing, such as {first}: each needs a line")
    return found


def _probability(text: str, number: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value <= 1:  # nan is not, either
        raise ValueError(f"line {number}: {text.strip()[:30]!r} is no probability from 0 to 1; write numbers with a point")
    return value

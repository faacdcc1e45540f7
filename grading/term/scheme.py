"""The grading scheme, read from YAML and checked: weights, due times, lateness, letters. It knows no student."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

from grading.sources import SourceError

DEFAULT = Path(__file__).parents[1] / "scheme.yaml"
KEYS = {"timezone", "parts", "lectures", "late", "attempts", "letters"}


@dataclass(frozen=True)
class Late:
    """What lateness costs: per cent of a part's points for each begun day, nothing left after `days`; `grace` is free."""

    grace: timedelta = timedelta(0)
    percent_per_day: float = 0.0
    days: int = 0

    def factor(self, submitted: datetime | None, due: datetime | None) -> float:
        """What share of the points counts, 0 to 1; a submission without a time, or without a due time, is in time."""
        if submitted is None or due is None or submitted <= due + self.grace:
            return 1.0
        begun = ceil((submitted - due) / timedelta(days=1))
        return 0.0 if begun > self.days else max(0.0, 1 - begun * self.percent_per_day / 100)


@dataclass(frozen=True)
class Part:
    """One part of the course grade.

    Attributes:
        name; weight: per cent of the course grade; due: with a time zone, or None.
        late: what lateness costs; items: what is handed in -> per cent of the part.
    """

    name: str
    weight: float
    due: datetime | None
    late: Late
    items: dict[str, float]


@dataclass(frozen=True)
class Scheme:
    """A checked scheme; see grading/scheme.yaml for what each line means."""

    zone: ZoneInfo
    parts: dict[str, Part]
    lectures_weight: float
    drop_lowest: int
    attempts: str
    letters: dict[str, float] = field(default_factory=dict)

    def letter(self, percent: float) -> str:
        """The letter of a course grade that is rounded to a tenth of a per cent: what is shown decides."""
        return next(letter for letter, least in self.letters.items() if round(percent, 1) >= least)

    def time(self, text: Any, where: str) -> datetime:
        """A point in time from YAML or a table; the scheme's zone where it names none.

        Raises:
            SourceError: it is no time.
        """
        try:
            moment = text if isinstance(text, datetime) else datetime.fromisoformat(str(text).strip().replace(" UTC", "+00:00"))
        except ValueError:
            raise SourceError(f"{where}: '{text}' is no time; write 2027-02-26 23:59, or 2027-02-26T23:59+08:00.") from None
        return moment if moment.tzinfo else moment.replace(tzinfo=self.zone)


def read_scheme(path: Path = DEFAULT) -> Scheme:
    """The scheme in a file.

    Raises:
        SourceError: what is wrong with it, in one sentence.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as problem:
        raise SourceError(f"The scheme {path} can't be read: {problem}") from None
    if not isinstance(raw, dict) or set(raw) != KEYS:
        odd = set(raw) ^ KEYS if isinstance(raw, dict) else KEYS
        raise SourceError(f"{path} must hold exactly {', '.join(sorted(KEYS))}; look at {', '.join(sorted(map(str, odd)))}.")
    try:
        zone = ZoneInfo(str(raw["timezone"]))
    except (ZoneInfoNotFoundError, ValueError):
        raise SourceError(f"{path}: there is no time zone {raw['timezone']!r}; write one such as Europe/Berlin.") from None
    late = _late(raw["late"], path)
    lectures = _number(raw["lectures"], "weight", path), int(_number(raw["lectures"], "drop_lowest", path))
    scheme = Scheme(zone, {}, *lectures, raw["attempts"], _letters(raw["letters"], path))
    if scheme.attempts not in ("best", "latest"):
        raise SourceError(f"{path}: attempts must be best or latest, not {scheme.attempts!r}.")
    owners: dict[str, str] = {}
    for name, row in raw["parts"].items():
        due = scheme.time(_at_midnight(row["due"]), f"{path}, {name}") if row.get("due") else None
        items = {str(item): float(share) for item, share in (row.get("items") or {name: 100}).items()}
        if abs(sum(items.values()) - 100) > 1e-9 or min(items.values()) < 0:
            raise SourceError(f"{path}: the items of {name} must be positive and sum to 100; they sum to {sum(items.values()):g}.")
        for item in items:
            if item in owners:
                raise SourceError(f"{path}: {item} belongs to {owners[item]} and to {name}; it can count once only.")
            owners[item] = name
        own = Late(late.grace) if row.get("late") == "none" else late  # none is taken after the grace
        scheme.parts[name] = Part(name, _number(row, "weight", path), due, own, items)
    total = scheme.lectures_weight + sum(part.weight for part in scheme.parts.values())
    if abs(total - 100) > 1e-9:
        shares = ", ".join(f"{part.name} {part.weight:g}" for part in scheme.parts.values())
        raise SourceError(f"{path}: the weights must sum to 100, but {shares} and lectures {scheme.lectures_weight:g} sum to {total:g}.")
    return scheme


def _at_midnight(value: Any) -> Any:
    """A day without a time is due when it ends."""
    return datetime(value.year, value.month, value.day, 23, 59, 59) if isinstance(value, date) and not isinstance(value, datetime) else value


def _number(row: Any, key: str, path: Path) -> float:
    value = row.get(key) if isinstance(row, dict) else None
    if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
        raise SourceError(f"{path}: {key} must be a number of at least 0, not {value!r}.")
    return float(value)


def _late(row: Any, path: Path) -> Late:
    return Late(timedelta(minutes=_number(row, "grace_minutes", path)), _number(row, "percent_per_day", path), int(_number(row, "days", path)))


def _letters(row: Any, path: Path) -> dict[str, float]:
    letters = {str(letter): float(least) for letter, least in (row or {}).items()}
    if not letters or min(letters.values()) != 0 or any(a <= b for a, b in pairwise(letters.values())):
        raise SourceError(f"{path}: the letters must fall from the best to one that begins at 0.")
    return letters

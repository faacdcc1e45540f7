"""The key figures of a lecture: recorded in its last cell, kept as one JSON file a lecture and profile, shown as one table.

`recorded.json` beside this file ships the figures of the course's own runs (`python -m grading results` writes it), for who has not run them.
"""

import json
import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

RECORDED = Path(__file__).with_name("recorded.json")
PROFILES = ("gpu", "laptop", "ci")  # the larger run is the better one


@dataclass(frozen=True)
class Result:
    """One measured figure.

    Attributes:
        name: what was measured, such as "PneumoniaMNIST test AUC".
        value: the figure; unit: its unit, empty for a pure number.
        low, high: ends of its interval (95 % unless the name says otherwise), or None.
        baseline: the published or trivial figure to read it against, or None; baseline_name: what that figure is.
        source: where the baseline comes from: a citation or the cell that measured it.
    """

    name: str
    value: float
    unit: str = ""
    low: float | None = None
    high: float | None = None
    baseline: float | None = None
    baseline_name: str = ""
    source: str = ""

    @property
    def measured(self) -> str:
        """Value, interval and unit in words, with as many decimals as the largest of the numbers needs for three digits."""
        if self.low is None or self.high is None:
            return f"{_told(self.value)[0]} {self.unit}".strip()
        value, low, high = _told(self.value, self.low, self.high)
        return f"{value} [{low}, {high}] {self.unit}".strip()

    @property
    def beside(self) -> str:
        """The figure to compare with, and what it is; "" if there is none."""
        return "" if self.baseline is None else f"{_told(self.baseline)[0]} ({self.baseline_name})"


def _told(*values: float) -> list[str]:
    """Numbers that stand together, with equal decimals; whole numbers have none, and the very small and very large an exponent."""
    largest = max(map(abs, values))
    if not math.isfinite(largest) or (largest and not 1e-3 <= largest < 1e6):
        return [f"{value:.3g}" for value in values]
    decimals = 0 if all(float(value).is_integer() for value in values) else max(0, 2 - math.floor(math.log10(largest)))
    return [f"{value:.{decimals}f}" for value in values]


def folder() -> Path:
    """Where results are kept: the folder named by DLMIA_RESULTS, else `dlmia/results` in the user's cache."""
    named = os.environ.get("DLMIA_RESULTS")
    if named:
        return Path(named)
    import pooch

    return Path(pooch.os_cache("dlmia")) / "results"


def _file(lecture: str, profile: str) -> Path:
    return folder() / f"{lecture}.{profile}.json"


def _read(path: Path) -> list[Result]:
    try:
        return [Result(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (json.JSONDecodeError, TypeError):  # cut or from another version: the figures will be measured again
        return []


def record(
    lecture: str,
    profile: str,
    name: str,
    value: float,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    baseline: float | None = None,
    baseline_name: str = "",
    source: str = "",
) -> Result:
    """Keep one figure of a lecture; recording the same name again replaces it.

    Args:
        lecture, profile: which run it belongs to. The others: see `Result`.

    Raises:
        ValueError: the value is not finite, or lies outside its own interval.
    """
    given = {"value": value, "low": low, "high": high, "baseline": baseline}
    numbers = {key: None if number is None else float(number) for key, number in given.items()}
    for key, number in numbers.items():
        if number is not None and not abs(number) < float("inf"):
            raise ValueError(f"{name}: {key} is {number}, which is no measurement")
    low_end, high_end = numbers["low"], numbers["high"]
    if (low_end is not None and numbers["value"] < low_end) or (high_end is not None and numbers["value"] > high_end):
        raise ValueError(f"{name}: {numbers['value']:.4g} lies outside its own interval {low_end} to {high_end}")
    result = Result(name=name, unit=unit, baseline_name=baseline_name, source=source, **numbers)
    path = _file(lecture, profile)
    kept = [row for row in _read(path) if row.name != name]
    text = json.dumps([asdict(row) for row in [*kept, result]], indent=1)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.part")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as problem:  # a figure that can't be kept is still shown
        print(f"Results are not kept: {path.parent} can't be written ({problem.strerror}). Set DLMIA_RESULTS to a folder of yours.")
    return result


def load(lecture: str | None = None, profile: str | None = None) -> dict[tuple[str, str], list[Result]]:
    """Every recorded figure by (lecture, profile); narrowed to one lecture or profile when named."""
    found = {}
    for path in sorted(folder().glob("*.json")):
        parts = path.name.split(".")
        if len(parts) == 3 and lecture in (None, parts[0]) and profile in (None, parts[1]):
            found[parts[0], parts[1]] = _read(path)
    return found


class Table(pd.DataFrame):
    """A table that scrolls where it is longer than a screen."""

    def _repr_html_(self) -> str | None:
        html = super()._repr_html_()
        return html and f'<div style="max-height: 640px; overflow-y: auto">{html}</div>'


def table(lecture: str, profile: str) -> pd.DataFrame:
    """The figures of one lecture, ready to be looked at: value with interval and unit, beside its baseline."""
    rows = []
    for row in _read(_file(lecture, profile)):
        rows.append({"figure": row.name, "measured": row.measured, "to compare": row.beside, "source": row.source})
    return Table(pd.DataFrame(rows, columns=["figure", "measured", "to compare", "source"]).set_index("figure"))


def recorded() -> dict[tuple[str, str], list[Result]]:
    """The figures of the course's own runs, by (lecture, profile); they ship with this package."""
    if not RECORDED.is_file():
        return {}
    whole = json.loads(RECORDED.read_text(encoding="utf-8"))
    return {(lecture, one["profile"]): [Result(**row) for row in one["figures"]] for lecture, one in whole.items()}


def course(own: bool = True) -> pd.DataFrame:
    """The figures of all lectures in one table, one row a figure.

    Args:
        own: take this user's figures of a lecture where there are some, of the largest profile that was run, instead of the course's own.

    Returns:
        Columns lecture, figure, value, unit, low, high, baseline, to compare (what the baseline is), source, profile, whose ("yours" or
        "recorded"); nan where there is no interval or no baseline.
    """
    chosen = {lecture: (profile, rows, "recorded") for (lecture, profile), rows in recorded().items()}
    for (lecture, profile), rows in load().items() if own else ():
        known = chosen.get(lecture)
        better = known is None or known[2] == "recorded" or PROFILES.index(profile) < PROFILES.index(known[0])
        if rows and profile in PROFILES and better:
            chosen[lecture] = profile, rows, "yours"
    found = [
        {
            **{"lecture": lecture, "figure": row.name, "value": row.value, "unit": row.unit, "low": row.low, "high": row.high},
            **{"baseline": row.baseline, "to compare": row.baseline_name, "source": row.source, "profile": profile, "whose": whose},
        }
        for lecture, (profile, rows, whose) in sorted(chosen.items())
        for row in rows
    ]
    columns = ["lecture", "figure", "value", "unit", "low", "high", "baseline", "to compare", "source", "profile", "whose"]
    table = pd.DataFrame(found, columns=columns)
    return table.astype(dict.fromkeys(["value", "low", "high", "baseline"], float))

"""A class's course feedback: the files that students exported, read with care and added up. Nobody is named, and few answers are not shown."""

import base64
import csv
import html
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from grading.files import write_text
from grading.sources import SourceError
from grading.term.report import STYLE
from grading.text import clean, line
from helpers.questionnaire import SCALE, Item, fault, the_form

MOST = 200_000  # bytes of a file that is read
FEWEST = 5  # answer sheets; fewer, and a reader could guess who said what


@dataclass
class Class:
    """What a class answered.

    Attributes:
        sheets: one dictionary for each file that could be used; notes: a sentence for each file, or answer, that could not.
    """

    sheets: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def values(self, item: Item) -> list[Any]:
        """The answers to one question, sorted: their order must not tell who gave them."""
        found = [sheet[item.id] for sheet in self.sheets if item.id in sheet]
        return sorted(found, key=str.casefold) if item.kind == "text" else sorted(found)


def read(folder: Path) -> Class:
    """Read every .json file in a folder and below it.

    Raises:
        SourceError: there is no such folder, or no file in it.
    """
    paths = sorted(path for path in folder.rglob("*.json") if not path.name.startswith(".")) if folder.is_dir() else []
    if not paths:
        raise SourceError(f"{folder} holds no answers: collect the files that students exported, feedback-....json, in one folder.")
    class_, texts = Class(), {}
    for path in paths:
        sheet, said = _sheet(path)
        name = line(path.relative_to(folder), 80)
        class_.notes += [f"{name}: {sentence}" for sentence in said]
        if not sheet:
            continue
        words = tuple(sorted((key, value) for key, value in sheet.items() if isinstance(value, str) and len(value) > 30))
        twin = texts.setdefault((words, json.dumps(sheet, sort_keys=True)), name) if words else name
        if twin != name:
            class_.notes.append(f"{name}: the same as {twin}, word for word; it counts once")
            continue
        class_.sheets.append(sheet)
    return class_


def _sheet(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The usable answers of one file, and what is wrong with it."""
    form = the_form()
    try:
        if path.is_symlink() or not path.is_file():
            return {}, ["no plain file; left out"]
        if path.stat().st_size > MOST:
            return {}, ["too large for a questionnaire; left out"]
        raw = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as problem:
        return {}, [f"can't be read as an exported questionnaire ({type(problem).__name__}); left out"]
    if not isinstance(raw, dict) or raw.get("form") != form.name or not isinstance(raw.get("answers"), dict):
        return {}, ["is no exported questionnaire of this course; left out"]
    if raw.get("version") != form.version:
        return {}, [f"is of version {line(raw.get('version'), 20)}, and this is version {form.version}; left out"]
    items = {item.id: item for item in form.items}
    kept, notes = {}, []
    for name, value in raw["answers"].items():
        if name not in items:
            notes.append(f"answers a question '{line(name, 40)}' that there is not; left out")
        elif items[name].kind == "text" and isinstance(value, str):
            kept[name] = clean(value, 2000).strip()
        elif isinstance(value, (list, dict)) or (said := fault(items[name], value)):
            notes.append(f"answer left out, {line(said, 200) if not isinstance(value, (list, dict)) else f'{name}: no number and no choice'}")
        elif value is not None:
            kept[name] = value
    kept = {name: value for name, value in kept.items() if value != ""}
    return kept, notes if kept or notes else ["holds no answer; left out"]


def summary(item: Item, values: list[Any]) -> list[str]:
    """Number of answers, mean with a 95 % interval, median, and how often each answer was given; for a text the number alone."""
    row = [item.id, item.ask, str(len(values)), "", "", ""]
    if item.kind in ("scale", "number") and values:
        numbers = np.asarray(values, float)
        half = 1.96 * numbers.std(ddof=1) / np.sqrt(len(numbers)) if len(numbers) > 1 else float("nan")
        row[3] = f"{numbers.mean():.2f}" + (f" +- {half:.2f}" if np.isfinite(half) else "")
        row[4] = f"{np.median(numbers):g}"
    if item.kind in ("scale", "choice"):
        row[5] = ", ".join(f"{option}: {values.count(option)}" for option in _options(item))
    return row


def _options(item: Item) -> list[Any]:
    return list(range(SCALE[0], SCALE[1] + 1)) if item.kind == "scale" else list(item.options)


def write(class_: Class, folder: Path) -> list[Path]:
    """Write questionnaire.csv (numbers) and questionnaire.html (numbers, pictures, comments).

    Raises:
        SourceError: there are fewer answer sheets than can be shown without showing people.
    """
    count = len(class_.sheets)
    if count < FEWEST:
        raise SourceError(f"{count} usable answer sheets: with fewer than {FEWEST} one could guess who said what, so nothing is written.")
    heads = ["id", "question", "answers", "mean", "median", "how often"]
    rows = [summary(item, class_.values(item)) for item in the_form().items]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([heads, *rows])
    write_text(folder / "questionnaire.csv", out.getvalue())
    parts = [f"<p>{count} answer sheets. The interval is the 95 % one of a mean; who did not answer is not in it, and may think otherwise.</p>"]
    for item, row in zip(the_form().items, rows, strict=True):
        values = class_.values(item)
        told = f"{row[2]} answers" + (f", mean {row[3]}, median {row[4]}" if row[3] else "")
        parts.append(f"<h2>{html.escape(item.ask)}</h2><p>{told}</p>")
        if item.kind == "text":
            parts.append("<ul>" + "".join(f"<li>{html.escape(value)}</li>" for value in values) + "</ul>")
        elif values:
            parts.append(_bars(item, values))
    head = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Course feedback</title><style>{STYLE}</style></head>'
    write_text(folder / "questionnaire.html", f"{head}<body><h1>Course feedback</h1>{''.join(parts)}</body></html>\n")
    return [folder / "questionnaire.csv", folder / "questionnaire.html"]


def _bars(item: Item, values: list[Any]) -> str:
    """How often each answer was given, drawn, with the same in words for who can't see it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if item.kind == "number":
        edges = np.linspace(item.least, item.most, 13)
        counts = np.histogram(values, edges)[0].tolist()
        names = [f"{low:g}-{high:g}" for low, high in zip(edges[:-1], edges[1:], strict=True)]
    else:
        counts = [values.count(option) for option in _options(item)]
        names = [str(option) for option in _options(item)]
        if item.ends:
            names[0], names[-1] = f"1 {item.ends[0]}", f"5 {item.ends[1]}"
    fig = Figure(figsize=(7, 0.5 + 0.28 * len(names)), layout="constrained")
    FigureCanvasAgg(fig)
    ax = fig.subplots()
    ax.barh(names, counts, color="#0072B2")
    ax.invert_yaxis()
    ax.set_xlabel("answers")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.spines[["top", "right"]].set_visible(False)
    picture = io.BytesIO()
    fig.savefig(picture, format="png", dpi=110)
    alt = "; ".join(f"{name}: {count}" for name, count in zip(names, counts, strict=True))
    return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{base64.b64encode(picture.getvalue()).decode()}">'

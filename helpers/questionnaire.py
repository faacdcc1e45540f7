"""The course feedback questionnaire: its questions, a form for a notebook, and the file that goes to the instructor. It asks and keeps no name.

With ipywidgets `form()` shows fields and a button; without, fill in the dictionary that `blank()` gives, and call `export` on it.
"""

import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name("questionnaire.yaml")
LONGEST = 2000  # signs of a text
SCALE = (1, 5)


@dataclass(frozen=True)
class Item:
    """One question.

    Attributes:
        id; ask; kind: "scale" (1 to 5), "number", "choice" or "text".
        ends: what 1 and 5 mean on a scale; options: of a choice; least, most: of a number.
    """

    id: str
    ask: str
    kind: str
    ends: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    least: float = 0
    most: float = 0


@dataclass(frozen=True)
class Form:
    """The questionnaire: its name, its version, its questions."""

    name: str
    version: int
    items: tuple[Item, ...]


@cache
def the_form() -> Form:
    """The questionnaire as the file beside this one states it."""
    raw = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    rows = [{key: tuple(value) if isinstance(value, list) else value for key, value in row.items()} for row in raw["items"]]
    return Form(raw["form"], raw["version"], tuple(Item(**row) for row in rows))


def blank() -> dict[str, Any]:
    """An answer sheet: id -> None, to be filled in where you like."""
    return {item.id: None for item in the_form().items}


def fault(item: Item, value: Any) -> str:
    """What is wrong with one answer, in a sentence; "" if nothing is. None is no answer, and always allowed."""
    if value is None:
        return ""
    if item.kind == "text":
        if not isinstance(value, str):
            return f"{item.id}: write text, not {value!r}"
        if len(value) > LONGEST:
            return f"{item.id}: {len(value)} signs are too many, at most {LONGEST}"
        return f"{item.id}: this looks like an e-mail address, and the questionnaire is anonymous" if re.search(r"\S@\S+\.\S", value) else ""
    if item.kind == "choice":
        return "" if value in item.options else f"{item.id}: choose one of {', '.join(item.options)}, not {value!r}"
    least, most = SCALE if item.kind == "scale" else (item.least, item.most)
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most
    if not number or (item.kind == "scale" and value != int(value)):
        what = "whole number" if item.kind == "scale" else "number"
        return f"{item.id}: give a {what} from {least} to {most}, not {value!r}"
    return ""


def faults(answers: Mapping[str, Any]) -> list[str]:
    """What is wrong with an answer sheet, a sentence each; none for a sound one."""
    items = {item.id: item for item in the_form().items}
    found = [f"there is no question '{name}': the questions are {', '.join(items)}" for name in answers if name not in items]
    found += [said for name, value in answers.items() if name in items and (said := fault(items[name], value))]
    return found if any(value not in (None, "") for value in answers.values()) or found else ["nothing is filled in"]


def export(answers: Mapping[str, Any], folder: str | Path = ".") -> Path:
    """Write the answers to a file for the instructor: no name, no time, no machine is in it. An earlier one in this folder is replaced.

    Args:
        answers: id -> answer; what is left out or None is not answered.
        folder: where the file goes.

    Returns:
        Its path, `feedback-<eight random signs>.json`.

    Raises:
        ValueError: an answer is none; the message lists all that is wrong, and nothing is written.
    """
    found = faults(answers)
    if found:
        raise ValueError("Nothing was written. " + "; ".join(found) + ".")
    form, folder = the_form(), Path(folder)
    kept = {item.id: answers[item.id] for item in form.items if answers.get(item.id) not in (None, "")}
    earlier = [path for path in folder.glob("feedback-*.json") if re.fullmatch(r"feedback-[0-9a-f]{8}\.json", path.name)]
    path = earlier[0] if len(earlier) == 1 else folder / f"feedback-{secrets.token_hex(4)}.json"
    text = json.dumps({"form": form.name, "version": form.version, "answers": kept}, indent=1, ensure_ascii=False)
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(path)
    return path


def questions() -> str:
    """The questions as a Markdown table: what a printed page shows, and where widgets are missing."""
    rows = ["| id | question | answer |", "|---|---|---|"]
    for item in the_form().items:
        how = {
            "scale": f"1 ({item.ends[0]}) to 5 ({item.ends[1]})" if item.ends else "",
            "number": f"{item.least:g} to {item.most:g}",
            "choice": "one of: " + ", ".join(item.options),
            "text": f"text, at most {LONGEST} signs",
        }[item.kind]
        rows.append(f"| `{item.id}` | {item.ask} | {how} |")
    return "\n".join(rows)


def form(folder: str | Path = ".") -> None:
    """Show the questionnaire with fields to fill in and a button that exports; without ipywidgets, say how it goes without."""
    from IPython.display import display

    try:
        import ipywidgets as widgets
    except ImportError:
        print("There are no fields here, since ipywidgets is missing: fill in sheet = questionnaire.blank(), then questionnaire.export(sheet).")
        return
    asked = widgets.Layout(width="68%")
    fields = {item.id: _field(item, widgets) for item in the_form().items}
    said = widgets.HTML()
    button = widgets.Button(description="Export", tooltip="Write the file for the instructor")

    def write(_button: Any) -> None:
        try:
            path = export({name: field.value or None if isinstance(field.value, str) else field.value for name, field in fields.items()}, folder)
            said.value = f"Written: <code>{path.name}</code>. Look into it, then hand it in where names are not kept."
        except (ValueError, OSError) as problem:
            said.value = re.sub(r"[<>&]", " ", str(problem))

    button.on_click(write)
    rows = [widgets.HBox([widgets.HTML(_told(item), layout=asked), fields[item.id]]) for item in the_form().items]
    display(widgets.VBox([*rows, button, said]))


def _told(item: Item) -> str:
    return f"{item.ask} <i>(1 {item.ends[0]}, 5 {item.ends[1]})</i>" if item.ends else item.ask


def _field(item: Item, widgets: Any) -> Any:
    """A field that begins without an answer, beside its question: the whole form fits on a screen."""
    beside = widgets.Layout(width="30%")
    if item.kind == "text":
        beside.height = "3.6em"
        return widgets.Textarea(value="", layout=beside)
    if item.kind == "number":
        return widgets.Dropdown(options=[("-", None), *((str(n), n) for n in range(int(item.least), int(item.most) + 1))], value=None, layout=beside)
    options = [(str(n), n) for n in range(SCALE[0], SCALE[1] + 1)] if item.kind == "scale" else [(name, name) for name in item.options]
    return widgets.Dropdown(options=[("-", None), *options], value=None, layout=beside)

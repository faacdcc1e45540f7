"""A lecture as a page: what students get, with the outputs of a recorded run beside the demonstrations. Nothing here writes HTML pages."""

import hashlib
import html
import json
import re
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from grading.authoring import badges
from grading.authoring.exercises import HEADING
from grading.authoring.release import as_text, instructor_notebook, released_text
from grading.sources import RUNS, SourceError, grade_id, source_path, tags, works

PROFILES = ("laptop", "ci")  # the run that is shown, if both are recorded
WIDGET = "application/vnd.jupyter.widget-view+json"
SECTION = re.compile(r"^## (?P<point>\d+\.\d+) ", re.M)
_FORMULA = re.compile(r"\$\$(?P<block>.+?)\$\$|(?<![\\\w$])\$(?P<inline>[^\s$](?:[^$\n]*[^\s$])?)\$(?!\d)", re.S)
_DETAILS = re.compile(r"<details>.*?</details>", re.S)
_CONTROLS = "<p class='controls'>In the notebook, controls stand here: move them, and the figure changes.</p>"


@dataclass
class Page:
    """A notebook of the site.

    Attributes:
        name: "04_classification"; title: its first heading.
        notebook: what the page is made of; released: the student's notebook, as text, for download.
        run: the record of the run whose outputs are shown ({"profile", "cpu_seconds", ...}), or None.
        stale: demonstrations whose source has changed since that run, and which therefore stand without outputs.
        pictures: file name -> bytes, of the outputs.
    """

    name: str
    title: str
    notebook: NotebookNode
    released: str
    run: dict | None
    stale: int
    pictures: dict[str, bytes]


def page(lecture: str | Path, runs: Path = RUNS) -> Page:
    """The page of one lecture, track or written work.

    Args:
        lecture: name, number or path of the source.
        runs: where `python -m grading run` left its records; without one the page has no outputs, and says so.

    Raises:
        SourceError: an output holds what students must not see.
    """
    path = source_path(str(lecture))
    released = released_text(path)
    notebook = nbformat.reads(released, as_version=4)
    runs_whole = path.stem not in works()
    run, done = recorded_run(path.stem, runs) if runs_whole else (None, {})
    whole = instructor_notebook(path)
    now = {cell.id: cell.source for cell in whole.cells}
    hidden = hidden_lines(whole, notebook)
    stale, pictures = 0, {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            if grade_id(cell) or cell.id not in done:
                continue
            if done[cell.id].source != now[cell.id]:
                stale += "demo" in tags(cell)
                continue
            told = json.dumps(done[cell.id].outputs)
            if any(json.dumps(line)[1:-1] in told for line in hidden):
                raise SourceError(f"{path.stem}: the output of cell {cell.id} holds a line of a solution or a hidden check.")
            cell.outputs = [one for output in done[cell.id].outputs for one in _shown(output, f"{path.stem}-{cell.id}", pictures)]
        elif cell.cell_type == "markdown":
            cell.source = _targets(_DETAILS.sub(lambda found: formulas(found[0]), cell.source))
    for cell in notebook.cells:
        cell.metadata = NotebookNode(tags=["hide-input"] if {"setup", "results"} & set(tags(cell)) else [])
    heading = re.search(r"^# (.+)$", notebook.cells[0].source, re.M)
    title = heading[1].strip() if heading else path.stem
    notebook.cells[0].source = _opening(notebook.cells[0].source, path.stem, run, stale, runs_whole)
    return Page(path.stem, title, notebook, released, run, stale, pictures)


def recorded_run(name: str, runs: Path = RUNS) -> tuple[dict | None, dict[str, NotebookNode]]:
    """The record of the largest whole run of a lecture, and its executed cells by id; (None, {}) where none reached its end."""
    for profile in PROFILES:
        try:
            record = json.loads((runs / f"{name}.{profile}.json").read_text(encoding="utf-8"))
            executed = nbformat.read(runs / f"{name}.{profile}.ipynb", as_version=4)
        except (OSError, ValueError):
            continue
        if not record.get("error") and not record.get("released"):
            return record, {cell.id: cell for cell in executed.cells}
    return None, {}


def hidden_lines(whole: NotebookNode, released: NotebookNode) -> list[str]:
    """What only the instructor's notebook holds: lines of solutions, hidden checks and model answers that students see nowhere."""
    seen = {line.strip() for cell in released.cells for line in cell.source.splitlines()}
    lines = {line.strip() for cell in whole.cells if grade_id(cell) for line in cell.source.splitlines()}
    return sorted(line for line in lines - seen if len(line) > 12 and not line.startswith("### "))


def text_of(one: Page) -> str:
    """The page's notebook as text, the same bytes at every call."""
    return as_text(one.notebook)


def formulas(text: str) -> str:
    """HTML in which each formula between dollars is MathML: what stands in raw HTML no Markdown reader turns into formulas."""
    parts = re.split(r"(`[^`]*`|<code>.*?</code>|<pre>.*?</pre>)", text, flags=re.S)
    for number in range(0, len(parts), 2):
        parts[number] = _FORMULA.sub(lambda found: mathml(html.unescape(found["block"] or found["inline"]), bool(found["block"])), parts[number])
    return "".join(parts)


def mathml(formula: str, block: bool = False) -> str:
    """A LaTeX formula as MathML, which browsers draw without a script.

    Raises:
        ValueError: it holds a command that is not known.
    """
    from latex2mathml.converter import convert

    made = convert(formula.replace(r"\arg\m", r"\operatorname{arg}\m"), display="block" if block else "inline")
    left = re.search(r"\\[A-Za-z]+", made)
    if left:
        raise ValueError(f"the formula {formula!r} holds {left[0]}, which can't be drawn")
    return made


def _targets(text: str) -> str:
    """Markdown with a target before each section of a syllabus point and each exercise, so that other pages can point there."""
    text = SECTION.sub(lambda found: f"(point-{found['point']})=\n{found[0]}", text)
    return HEADING.sub(lambda found: f"(exercise-{found['id']})=\n{found[0]}", text)


def _opening(text: str, name: str, run: dict | None, stale: int, runs_whole: bool) -> str:
    """The title cell: links instead of the badges, and a sentence that says where the outputs come from."""
    heading, _, rest = text.partition("\n")
    opens = [f"[{text}]({address})" for text, address in re.findall(r"\[!\[([^\]]+)\]\([^)]+\)\]\(([^)]+)\)", badges.row(name))]
    rest = re.sub(r"^\s*\[!\[[^\n]*\n", "\n", rest, count=1)
    links = " - ".join([f"{{download}}`The notebook <../files/{name}.ipynb>`", *opens])
    said = "" if run or not runs_whole else "No run of it is recorded here, so it stands without outputs: run it to see them."
    if run:
        said = f"Outputs are those of a recorded run in profile `{run['profile']}` ({run['cpu_seconds']:.0f} s of processor). "
        said += "Exercises stand as you get them, unsolved."
    if stale:
        said += f" {stale} of the demonstrations changed since, and {'stand' if stale > 1 else 'stands'} without outputs."
    return f"{heading}\n\n{links}\n\n{said}\n{rest}"


def _shown(output: NotebookNode, stem: str, pictures: dict[str, bytes]) -> list[NotebookNode]:
    """An output as the page shows it: pictures as files with their alt text, a sentence for controls, no errors, no progress bars."""
    if output.output_type == "error":
        return []
    if output.output_type == "stream":
        return [output]
    data = output.data
    if WIDGET in data:
        return [] if "%|" in data.get("text/plain", "") else [_html(_CONTROLS)]  # of a progress bar nothing is left
    if "image/png" in data:
        image = b64decode(data["image/png"])
        file = f"{stem[:60]}-{hashlib.sha256(image).hexdigest()[:10]}.png"
        pictures[file] = image
        alt = re.search(r'alt="([^"]*)"', data.get("text/html", ""))
        width = int.from_bytes(image[16:20], "big")
        tall = int.from_bytes(image[20:24], "big")
        said = alt[1] if alt else "A figure without a description"
        return [_html(f'<img src="../pictures/{file}" width="{width}" height="{tall}" loading="lazy" alt="{said}">')]
    return [output]


def _html(text: str) -> NotebookNode:
    return nbformat.v4.new_output("display_data", data={"text/html": text})

"""Has a written work its parts: sections, length, figures with words, references that resolve, slides? What it is worth, a person says."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DOI = re.compile(r"\b10\.\d{4,9}/[^\s\"<>]+[^\s\"<>.,;)]")
YEAR = re.compile(r"\b(?:19|20)\d\d\b")
CITED = re.compile(r"(?<!\!)\[(\d+(?:\s*[,-]\s*\d+)*)\](?!\()")
ENTRY = re.compile(r"^\s*(?:[-*]\s+)?\[(\d+)\]\s+(\S.*)$")
PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)]+)\)")


@dataclass(frozen=True)
class Requirements:
    """What the machine asks of a written work.

    Attributes:
        sections: heading as in the template -> (fewest, most) words; most 0 is no limit.
        figures, references: fewest; slides: (fewest, most) slides of a presentation, None where there is none.
    """

    sections: dict[str, tuple[int, int]]
    figures: int
    references: int
    slides: tuple[int, int] | None = None


PAPER = {
    "The paper": (40, 200),
    "What it claims": (60, 300),
    "How it was tested": (80, 400),
    "What it leaves open": (80, 400),
    "Questions for the room": (30, 200),
}
SURVEY = {
    "Question": (80, 300),
    "Search": (100, 500),
    "Map of the field": (200, 800),
    "Comparison": (300, 1200),
    "Gaps": (150, 600),
    "Conclusion": (80, 300),
}
PROPOSAL = {
    "Question": (60, 250),
    "What is known": (100, 400),
    "Data": (60, 300),
    "Rivals and method": (80, 400),
    "Evaluation": (100, 400),
    "Risks and harm": (60, 300),
    "Plan": (60, 300),
}
REPORT = {
    "Question": (100, 350),
    "Related work": (150, 700),
    "Data and split": (150, 700),
    "Rivals": (100, 600),
    "Method": (200, 1000),
    "Results": (250, 1200),
    "Limits and harm": (150, 700),
    "Repeat it": (80, 500),
}
TALK = {
    "Message": (20, 150),
    "Evidence": (60, 350),
    "Limits": (40, 250),
    "Questions": (60, 400),
    "Clarity and time": (20, 250),
}
WORKS = {
    "assignment_1": Requirements(PAPER, figures=2, references=3, slides=(8, 16)),
    "assignment_2": Requirements(SURVEY, figures=2, references=15),
    "final_project_proposal": Requirements(PROPOSAL, figures=1, references=4),
    "final_project_report": Requirements(REPORT, figures=4, references=8),
    "final_project_presentation": Requirements(TALK, figures=1, references=3, slides=(10, 16)),
}


@dataclass(frozen=True)
class Point:
    """One thing that the machine looked at: what, whether it is there, and what to do if not."""

    what: str
    there: bool
    todo: str = ""


def check(path: str | Path, work: str | None = None) -> list[Point]:
    """Look at a saved notebook.

    Args:
        path: the notebook; work: one of WORKS; None takes it from the file's name.

    Returns:
        One point for each section, for figures, references and slides.

    Raises:
        ValueError: the file is no notebook, or belongs to no work. One sentence says which.
    """
    path = Path(path)
    name = work or next((known for known in sorted(WORKS, key=len, reverse=True) if path.stem.startswith(known)), None)
    if name not in WORKS:
        raise ValueError(f"{path.name} is none of {', '.join(WORKS)}: call it so, or say which work it is")
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        cells = [cell for cell in notebook["cells"] if isinstance(cell, dict)]
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise ValueError(f"{path.name} can't be read as a notebook ({type(problem).__name__}): save it again") from None
    wanted = WORKS[name]
    sections = _sections(cells)
    found = [_section(heading, sections.get(heading), *words) for heading, words in wanted.sections.items()]
    found += [_figures(cells, wanted.figures), *_references(sections, wanted.references)]
    return [*found, _slides(cells, wanted.slides)] if wanted.slides else found


def share(points: list[Point]) -> float:
    """The share of points that are there, 0 to 1."""
    return sum(point.there for point in points) / len(points)


def show(path: str | Path, work: str | None = None) -> None:
    """Print what `check` finds, for who writes the work."""
    points = check(path, work)
    for point in points:
        print(f"{'there  ' if point.there else 'missing'}  {point.what}" + ("" if point.there else f": {point.todo}"))
    print(f"{sum(point.there for point in points)} of {len(points)}. Save the notebook before you look again; what it is worth, a person says.")


def _text(cell: dict) -> str:
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(map(str, source)) if isinstance(source, list) else ""


def _sections(cells: list[dict]) -> dict[str, str]:
    """Heading of level two -> the markdown under it, without the template's own words, which are quoted."""
    found: dict[str, str] = {}
    heading = ""
    for cell in cells:
        if cell.get("cell_type") != "markdown":
            continue
        for line in _text(cell).splitlines():
            if line.startswith("## "):
                heading = re.sub(r"^[\d. ]+", "", line[3:]).strip()
                found.setdefault(heading, "")
            elif heading and not line.lstrip().startswith(">"):
                found[heading] += line + "\n"
    return found


def _section(heading: str, text: str | None, fewest: int, most: int) -> Point:
    if text is None:
        return Point(f"section '{heading}'", False, f"write '## {heading}' as the template has it")
    count = len(re.findall(r"[^\W\d_]{2,}", re.sub(r"```.*?```", " ", PICTURE.sub(" ", text), flags=re.S)))
    if count < fewest:
        return Point(f"section '{heading}'", False, f"{count} words; at least {fewest}")
    if most and count > most:
        return Point(f"section '{heading}'", False, f"{count} words; at most {most}")
    return Point(f"section '{heading}', {count} words", True)


def _figures(cells: list[dict], fewest: int) -> Point:
    """Pictures in text, and outputs of cells that carry their description: both count only with words."""
    texts = [PICTURE.findall(_text(cell)) for cell in cells if cell.get("cell_type") == "markdown"]
    described = [bool(alt.strip()) for found in texts for alt, _ in found]
    for cell in cells:
        for output in cell.get("outputs", []) if isinstance(cell.get("outputs"), list) else []:
            kinds = [kind for kind in output.get("data", {}) if kind.startswith("image/")]
            described += [any(_alt(output, kind) for kind in kinds)] if kinds else []
    silent = described.count(False)
    if sum(described) < fewest:
        more = f", and {silent} without words" if silent else ""
        how = "![what is to be seen](file.png), or show.figure(fig, alt=...)"
        return Point("figures", False, f"{sum(described)} with a description{more}; at least {fewest}: {how}")
    return Point(f"figures, {sum(described)} with a description", not silent, f"{silent} have no description")


def _alt(output: dict[str, Any], kind: str) -> bool:
    return bool(str(output.get("metadata", {}).get(kind, {}).get("alt", "")).strip())


def _references(sections: dict[str, str], fewest: int) -> list[Point]:
    entries = [match for line in sections.get("References", "").splitlines() if (match := ENTRY.match(line))]
    known = {int(match[1]) for match in entries}
    bare = [match[1] for match in entries if not (DOI.search(match[2]) and YEAR.search(match[2]))]
    cited: set[int] = set()
    for heading, text in sections.items():
        if heading == "References":
            continue
        for group in CITED.findall(text):
            for part in re.split(r"\s*,\s*", group):
                ends = [int(number) for number in re.split(r"\s*-\s*", part)]
                cited |= set(range(ends[0], min(ends[-1], ends[0] + 50) + 1))
    form = "each as [3] Authors. Title. Venue, year. doi:10.1234/abc (arXiv: doi:10.48550/arXiv.2001.01234)"
    lost, idle = sorted(cited - known), sorted(known - cited)
    return [
        Point(f"references, {len(known)}", len(known) >= fewest, f"{len(known)}; at least {fewest}, {form}"),
        Point("references with year and DOI", bool(known) and not bare, f"{', '.join(bare) or 'there are none'}; {form}"),
        Point("citations that resolve", bool(cited) and not lost, f"{lost or 'nothing'} is cited; each [number] needs its line under References"),
        Point("references that are cited", bool(known) and not idle, f"{idle or 'there are none'}; cite each in the text as [number]"),
    ]


def _slides(cells: list[dict], limits: tuple[int, int]) -> Point:
    count = sum(cell.get("metadata", {}).get("slideshow", {}).get("slide_type") in ("slide", "subslide") for cell in cells)
    if not limits[0] <= count <= limits[1]:
        how = "mark cells as Slide (property inspector, the gears at the right), then jupyter nbconvert --to slides"
        return Point("slides", False, f"{count}; {limits[0]} to {limits[1]}: {how}")
    return Point(f"slides, {count}", True)

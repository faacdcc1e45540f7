"""What stands on the site's pages: everything is computed from syllabus, sources, banks, manifest and README, and laid out for Sphinx."""

import os
import re
import shutil
from pathlib import Path

from grading.authoring.exercises import exercises_of
from grading.files import write_text
from grading.site.notebook import Page, page, text_of
from grading.sources import ROOT, SourceError, lectures, points_of, read_lecture, repository, source_path, syllabus

TEMPLATES = ROOT / "docs" / "site"
SINGLE = {  # page -> template
    **{"index": "index", "syllabus": "syllabus", "results": "results", "lectures/index": "lectures", "project/index": "project"},
    **{"data/index": "data", "guides/index": "guides", "guides/start": "start", "guides/teaching": "teaching"},
    "guides/contributing": "contributing",
}
DOCUMENTS = {"docs/instructor_guide.md": "guides/instructor_guide", "docs/adding.md": "guides/adding", "CONTRIBUTING.md": "guides/contributing"}
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]\n]*)\]\((?P<target>[^)\s]+)\)")
_CODE = re.compile(r"(^```.*?^```\s*?$|`[^`\n]*`)", re.M | re.S)


def write(folder: Path, names: list[str], runs: Path) -> list[Page]:
    """Lay out the sources of the site.

    Args:
        folder: made anew; names: paths of the lectures, works and tracks that get a page; runs: records of runs.

    Returns:
        The pages of notebooks.
    """
    notebooks = [page(name, runs) for name in names]
    homes = {one.name: home(one.name) for one in notebooks}
    _notebooks(folder, notebooks, homes)
    environment = _templates(homes)
    content = _content(notebooks, names)
    for name, template in SINGLE.items():
        write_text(folder / f"{name}.md", environment.get_template(f"{template}.md").render(content))
    for path, name in DOCUMENTS.items():
        if name not in SINGLE:
            write_text(folder / f"{name}.md", rewritten((ROOT / path).read_text(encoding="utf-8"), Path(path).parent, homes))
    for card in content["cards"]:
        write_text(folder / "data" / f"{card['name']}.md", environment.get_template("sheet.md").render(card=card))
    shutil.copyfile(ROOT / "docs" / "lecture.png", folder / "lecture.png")
    return notebooks


def home(name: str) -> str:
    """The folder of a notebook's page."""
    return "lectures" if re.match(r"\d\d_", name) else "project"


def _notebooks(folder: Path, notebooks: list[Page], homes: dict[str, str]) -> None:
    pictures = folder / "extra" / "pictures"
    pictures.mkdir(parents=True)
    for one in notebooks:
        for cell in one.notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = rewritten(cell.source, Path("notebooks"), homes)
        write_text(folder / homes[one.name] / f"{one.name}.ipynb", text_of(one))
        write_text(folder / "files" / f"{one.name}.ipynb", one.released)
        for file, image in one.pictures.items():
            (pictures / file).write_bytes(image)


def rewritten(text: str, place: Path, homes: dict[str, str]) -> str:
    """Markdown of the repository whose links lead to the site's pages, or to the repository where the site has no page.

    Args:
        text: Markdown; place: the folder that its links start from, relative to the root; homes: notebook -> folder of its page.
    """

    def link(found: re.Match) -> str:
        target, _, anchor = found["target"].partition("#")
        if not target or re.match(r"[a-z]+:", target) or target.startswith(("/", "..")):
            return found[0]
        path = Path(os.path.normpath(place / target)).as_posix()
        name = Path(path).stem
        if path.startswith("notebooks/") and name in homes:
            return f"[{found['text']}](/{homes[name]}/{name}.ipynb)"
        if path in DOCUMENTS:
            return f"[{found['text']}](/{DOCUMENTS[path]}.md)"
        if (ROOT / path).exists():
            return f"[{found['text']}]({repository()}/blob/main/{path}{'#' * bool(anchor)}{anchor})"
        return found[0]

    parts = _CODE.split(text)
    return "".join(part if number % 2 else _LINK.sub(link, part) for number, part in enumerate(parts))


def section(heading: str) -> str:
    """A section of the README without its heading, to the next heading of its level or above; "" is what stands before the first section.

    Raises:
        SourceError: the README has no such section.
    """
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    code = [(found.start(), found.end()) for found in re.finditer(r"^```.*?^```\s*?$", text, re.M | re.S)]
    marks = [found for found in re.finditer(r"^(#+) (.+)$", text, re.M) if not any(start <= found.start() < end for start, end in code)]
    for number, mark in enumerate(marks):
        if (mark[1] == "#" and not heading) or mark[2].strip() == heading:
            level = len(mark[1]) if heading else 2
            end = next((other.start() for other in marks[number + 1 :] if len(other[1]) <= level), len(text))
            return text[mark.end() : end].strip()
    raise SourceError(f"README.md has no section '{heading}', which the site shows: name it so, or change the templates in docs/site/.")


def plain(text: object) -> str:
    """Text that stands in a Markdown table as it is: one line, no mark means anything but those of `code`."""
    parts = re.split(r"(`[^`|]+`)", " ".join(str(text).split()))
    parts[::2] = [re.sub(r"([\\`*_\[\]{}|$#<>&~^])", r"\\\1", part) for part in parts[::2]]
    return "".join(parts)


def _templates(homes: dict[str, str]):
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    def readme(heading: str) -> str:
        text = section(heading)
        text = text if heading else re.sub(r"^!\[[^\n]*$", "", text, flags=re.M)  # the first page shows the picture at its end
        return rewritten(text, Path("."), homes)

    def document(path: str) -> str:
        text = (ROOT / path).read_text(encoding="utf-8")
        return rewritten(re.sub(r"\A# .*\n", "", text), Path(path).parent, homes)

    made = Environment(loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)
    made.filters.update(plain=plain, lecture_title=lecture_title, lecture_number=lecture_number)
    made.globals.update(readme=readme, document=document)
    return made


def lecture_title(name: str) -> str:
    """The lecture's own heading, or one made from its name where it is not written yet."""
    if name in lectures():
        return re.search(r"^# # (.+)$", source_path(name).read_text(encoding="utf-8"), re.M)[1].strip()
    return f"Lecture {lecture_number(name)} - {name[3:].replace('_', ' ').capitalize()}"


def lecture_number(name: str) -> int:
    """4 for "04_classification"."""
    return int(name[:2])


def _content(notebooks: list[Page], names: list[str]) -> dict:
    """What the templates read."""
    from helpers.data.manifest import cards

    told = {Path(source_path(name)).stem: name for name in names}
    pages = {one.name: one for one in notebooks}
    exercises = {name: exercises_of(read_lecture(told[name])) for name in pages if home(name) == "lectures"}
    afterwards = dict(re.findall(r"^\| \[[^\]]*\]\(notebooks/(\w+)\.ipynb\) \| ([^|]+?) \|", section("The lectures"), re.M))
    rows = [
        {
            **{"name": name, "title": pages[name].title, "afterwards": afterwards.get(name) or "; ".join(points_of(name).values())},
            **{"exercises": len(found), "points": f"{sum(sum(one.points.values()) for one in found):g}"},
        }
        for name, found in exercises.items()
    ]
    chapters = _chapters(pages, exercises)
    every = [row for chapter in chapters for row in chapter["rows"]]
    return {
        "lectures": rows,
        "others": [{"name": one.name, "title": one.title} for one in notebooks if home(one.name) == "project"],
        "missing": [lecture_title(name) for name in syllabus()["lectures"] if name not in lectures() and name not in pages],
        "chapters": chapters,
        "totals": {
            **{"points": len(every), "exercises": sum(len(row["exercises"]) for row in every)},
            **{key: sum(row[key] for row in every) for key in ("quiz", "exam")},
        },
        "goals": list(syllabus()["goals"].values()),
        "pipeline": list(syllabus()["pipeline"].values()),
        "exam": _blueprint(),
        "recorded": _recorded(),
        "cards": [_card(one) for one in cards().values()],
    }


def _chapters(pages: dict[str, Page], exercises: dict) -> list[dict]:
    """The syllabus map: lecture -> points -> section, exercises, numbers of questions."""
    from collections import Counter

    from grading.exam.model import bank
    from helpers.quiz.bank import questions

    exam, quiz = Counter(str(one.point) for one in bank()), Counter(one.point for one in questions())
    found = []
    for name, points in syllabus()["lectures"].items():
        sections = "\n".join(cell.source for cell in pages[name].notebook.cells) if name in pages else ""
        rows = [
            {
                **{"id": point, "title": title, "section": f"(point-{point})=" in sections, "quiz": quiz[point], "exam": exam[point]},
                "exercises": [{"id": one.id, "title": one.title} for one in exercises.get(name, []) if one.point == point],
            }
            for point, title in points.items()
        ]
        title = pages[name].title if name in pages else lecture_title(name)
        found.append({"name": name, "title": title, "page": name in pages, "written": name in lectures(), "rows": rows})
    return found


def _blueprint() -> dict:
    import yaml

    return yaml.safe_load((ROOT / "grading" / "exam" / "blueprint.yaml").read_text(encoding="utf-8"))


def _recorded() -> list[dict]:
    """The course's own figures, as the results page shows them."""
    from helpers.results import recorded

    found = []
    for (name, profile), figures in recorded().items():
        rows = [{"name": row.name, "measured": row.measured, "beside": row.beside, "source": row.source} for row in figures]
        found.append({"name": name, "title": lecture_title(name), "profile": profile, "rows": rows})
    return found


def _card(card) -> dict:
    """A data sheet's content."""
    rows = card.rows()
    shape = " x ".join(map(str, card.shape))
    extra = [("Shape", f"columns {', '.join(map(str, card.shape))}" if card.kind == "heart" else shape), ("Sizes", ", ".join(map(str, card.sizes)))]
    extra += [("Stand-in", {"simulate": "simulated, with planted truth", "none": "none"}.get(card.stand_in, card.stand_in))]
    extra += [("Lectures", ", ".join(f"{lecture_number(name)}" if name[:2].isdigit() else name for name in card.lectures) or "none")]
    one = {"name": card.name, "title": card.title, "modality": card.modality, "task": card.task, "licence": card.licence, "files": card.files}
    return {**one, "used": [name for name in card.lectures if name[:2].isdigit()], "rows": rows + [(key, text) for key, text in extra if text]}

"""The class report: distribution of grades, difficulty and discrimination of exercises, as one HTML page. It changes no grade."""

import base64
import html
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from grading.files import write_text
from grading.marking.record import read_grades
from grading.term.grades import CourseGrade
from grading.term.scheme import Scheme

HARD = 0.4  # an exercise that reaches less of its points in the mean is failed by too many
DULL = 0.1  # below this an exercise says nothing about who has understood the rest
FEWEST = 8  # students for a discrimination that means anything

STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
table{border-collapse:collapse;margin:1rem 0;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ccc}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}img{max-width:100%}.flag{font-weight:600}
@media(prefers-color-scheme:dark){body{background:#161616;color:#e8e8e8}th,td{border-color:#444}img{background:#fff}}"""


@dataclass(frozen=True)
class Item:
    """One exercise over the class.

    Attributes:
        lecture, exercise; students: who handed the lecture in.
        difficulty: mean share of its points, 0 hard to 1 easy.
        discrimination: correlation of that share with the share reached in the rest of the lecture; nan with few students, or if all are equal.
    """

    lecture: str
    exercise: str
    students: int
    difficulty: float
    discrimination: float

    @property
    def flag(self) -> str:
        """What an instructor should look at, or nothing."""
        said = ["too many fail"] if self.difficulty < HARD else []
        said += ["does not tell who understood the rest"] if self.discrimination < DULL else []
        return ", ".join(said)


def items(rows: list[dict]) -> list[Item]:
    """Difficulty and discrimination of each exercise from the rows of grades.csv; manual answers are not in it."""
    found = []
    for lecture in sorted({row["lecture"] for row in rows}):
        own = [row for row in rows if row["lecture"] == lecture]
        students, exercises = sorted({row["student"] for row in own}), list(dict.fromkeys(row["exercise"] for row in own))
        points, most = np.zeros((2, len(students), len(exercises)))
        for row in own:
            place = students.index(row["student"]), exercises.index(row["exercise"])
            points[place], most[place] = float(row["points"]), float(row["max_points"])
        for k, exercise in enumerate(exercises):
            had = most[:, k] > 0  # an exam's questions differ from paper to paper
            share = points[had, k] / most[had, k]
            rest, left = (table[had].sum(1) - table[had, k] for table in (points, most))
            found.append(Item(lecture, exercise, int(had.sum()), float(share.mean()), _correlation(share, rest / np.maximum(left, 1e-9))))
    return found


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's; nan where it says nothing."""
    if len(a) < FEWEST or np.ptp(a) < 1e-12 or np.ptp(b) < 1e-12:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def write_report(grades: list[CourseGrade], scheme: Scheme, course: Path, folder: Path) -> Path:
    """Write class_report.html; returns its path.

    Args:
        grades: everybody's; scheme: for the letters; course: with grades.csv of the lectures; folder: where the page goes.
    """
    active = [grade for grade in grades if grade.student.status == "active"]
    analysed = items([*read_grades(course / "grades.csv"), *read_grades(course / "exam_items.csv")])
    totals = np.array([grade.total for grade in active])
    parts = [f"<p>{len(active)} students, {len(grades) - len(active)} who withdrew and are not counted below.</p>"]
    if len(active):
        quartiles = np.percentile(totals, [25, 50, 75])
        spread = f"quartiles {quartiles[0]:.1f} and {quartiles[2]:.1f} %, lowest {totals.min():.1f}, highest {totals.max():.1f}"
        parts.append(f"<p>Course grade: median {quartiles[1]:.1f} %, {spread}.</p>")
        counts = {letter: sum(grade.letter == letter for grade in active) for letter in scheme.letters}
        alt = f"Histogram of {len(totals)} course grades in per cent, with the lower ends of the letters"
        parts += ["<h2>Distribution</h2>", _picture(_histogram(totals, scheme), alt)]
        parts.append(_table(["letter", *counts], [["students", *counts.values()]]))
        heads = ["part", "weight (%)", "mean (%)", "lowest (%)", "highest (%)", "missing"]
        parts += ["<h2>Parts</h2>", _table(heads, [_part_row(active, k) for k in range(len(active[0].parts))])]
        notes = [(grade.student.id, note) for grade in active for note in grade.notes]
        parts += ["<h2>To look at</h2>", _table(["student", "what"], notes)] if notes else []
    if analysed:
        heads = ["lecture", "exercise", "students", "difficulty", "discrimination", "look"]
        told = [_item_row(item) for item in sorted(analysed, key=lambda item: item.difficulty)]
        text = (
            "<h2>Exercises</h2><p>Difficulty is the mean share of points (1 is easy). Discrimination is the correlation with the rest of the "
            "lecture: near 0, or below, an exercise does not tell who understood the rest; it is empty with fewer than "
            f"{FEWEST} students, or where all are equal.</p>"
        )
        parts += [text, _picture(_scatter(analysed), "Discrimination of each exercise against its difficulty"), _table(heads, told)]
    head = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Class report</title><style>{STYLE}</style></head>'
    write_text(folder / "class_report.html", f"{head}<body><h1>Class report</h1>{''.join(parts)}</body></html>\n")
    return folder / "class_report.html"


def _part_row(active: list[CourseGrade], k: int) -> list:
    shares = [grade.parts[k].percent for grade in active]
    missing = sum(all(item.chosen is None for item in grade.parts[k].items) for grade in active)
    part = active[0].parts[k]
    return [part.part, f"{part.weight:g}", f"{np.mean(shares):.1f}", f"{min(shares):.1f}", f"{max(shares):.1f}", missing]


def _item_row(item: Item) -> list:
    told = "" if np.isnan(item.discrimination) else f"{item.discrimination:.2f}"
    return [item.lecture, item.exercise, item.students, f"{item.difficulty:.2f}", told, item.flag]


def _table(heads: list, rows: list) -> str:
    def cell(tag: str, value: object) -> str:
        text = str(value)
        number = ' class="number"' if text.replace(".", "").replace("-", "").isdigit() else ""
        return f"<{tag}{number}>{html.escape(text)}</{tag}>"

    head = "".join(cell("th", one) for one in heads)
    return f"<table><tr>{head}</tr>" + "".join("<tr>" + "".join(cell("td", one) for one in row) + "</tr>" for row in rows) + "</table>"


def _figure(width: float, height: float):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fig = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(fig)
    return fig, fig.subplots()


def _histogram(totals: np.ndarray, scheme: Scheme):
    fig, ax = _figure(8, 3)
    ax.hist(totals, bins=np.arange(0, 105, 5), color="#0072B2", edgecolor="white")
    for letter, least in scheme.letters.items():
        ax.axvline(least, color="0.5", linewidth=0.8, linestyle=":")
        ax.text(least + 0.3, 1.01, letter, fontsize=8, transform=ax.get_xaxis_transform())  # above the bars
    ax.set(xlabel="course grade (%)", ylabel="students", xlim=(0, 100))
    return fig


def _scatter(analysed: list[Item]):
    fig, ax = _figure(8, 3.2)
    for name, marker, colour, flagged in (("fine", "o", "#0072B2", False), ("to look at", "s", "#D55E00", True)):
        chosen = [item for item in analysed if bool(item.flag) == flagged]
        ax.plot([item.difficulty for item in chosen], [item.discrimination for item in chosen], marker, color=colour, alpha=0.8, label=name)
    ax.set(xlabel="difficulty: mean share of points", ylabel="discrimination", xlim=(-0.02, 1.02))
    ax.legend(loc="lower left", fontsize=8)
    return fig


def _picture(fig, alt: str) -> str:
    out = io.BytesIO()
    fig.savefig(out, format="png", dpi=110)
    return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}">'

"""The course grade of each student, every part of it traceable to a submission and a rule. It reads no file and writes none."""

from dataclasses import dataclass, field
from datetime import datetime

from grading.sources import lectures
from grading.term.scheme import Late, Scheme
from grading.term.scores import Attempt, Scores, Student


@dataclass(frozen=True)
class ItemGrade:
    """What counts for one item: `percent` of its points after lateness, of which attempt, and the sentence that explains it."""

    item: str
    percent: float
    chosen: Attempt | None
    factor: float
    attempts: int
    why: str


@dataclass(frozen=True)
class PartGrade:
    """One part: `percent` reached, its weight, what it adds to the course grade, and its items."""

    part: str
    percent: float
    weight: float
    due: datetime | None
    items: tuple[ItemGrade, ...]

    @property
    def contribution(self) -> float:
        """Per cent points of the course grade."""
        return self.percent * self.weight / 100


@dataclass(frozen=True)
class CourseGrade:
    """A student's course grade; `total` is in per cent; `letter` is W for who withdrew; `notes` are for a person to look at."""

    student: Student
    parts: tuple[PartGrade, ...]
    total: float
    letter: str
    notes: tuple[str, ...] = field(default=())


def course_grades(scheme: Scheme, scores: Scores, known_lectures: list[str] | None = None) -> list[CourseGrade]:
    """Everybody's course grade, in order of their ids.

    Args:
        scheme, scores: as read.
        known_lectures: those that count; None for those of this checkout that anybody handed in.
    """
    if known_lectures is None:
        known_lectures = [name for name in lectures() if any(name in items for items in scores.attempts.values())]
    return [_one(scheme, scores, student, known_lectures) for student in sorted(scores.students.values(), key=lambda one: one.id)]


def _one(scheme: Scheme, scores: Scores, student: Student, known_lectures: list[str]) -> CourseGrade:
    attempts = scores.attempts.get(student.id, {})
    parts = []
    for part in scheme.parts.values():
        extended = scores.extensions.get((student.id, part.name))
        due = max(filter(None, (part.due, extended)), default=None)
        items = tuple(_item(scheme, item, attempts.get(item, []), due, part.late, bool(extended)) for item in part.items)
        percent = sum(grade.percent * part.items[grade.item] / 100 for grade in items)
        parts.append(PartGrade(part.name, percent, part.weight, due, items))
    parts.append(_lectures(scheme, attempts, known_lectures))
    total = sum(part.contribution for part in parts)
    waiting = [grade.item for part in parts for grade in part.items if grade.chosen and grade.chosen.waits]
    notes = [f"{item} has answers that a person has still to grade" for item in waiting]
    if student.status == "withdrawn":
        return CourseGrade(student, tuple(parts), total, "W", tuple(notes))
    notes += [f"{grade.item} is missing" for part in parts[:-1] for grade in part.items if grade.chosen is None]
    return CourseGrade(student, tuple(parts), total, scheme.letter(total), tuple(notes))


def _lectures(scheme: Scheme, attempts: dict[str, list[Attempt]], known: list[str]) -> PartGrade:
    """The mean over the lectures without the lowest ones; a lecture that was not handed in is 0. At least one always counts."""
    items = [_item(scheme, name, attempts.get(name, []), None, Late(), False) for name in known]
    dropped = sorted(items, key=lambda grade: (grade.percent, grade.item))[: min(scheme.drop_lowest, max(0, len(items) - 1))]
    counted = [grade for grade in items if grade not in dropped]
    shown = [
        ItemGrade(grade.item, grade.percent, grade.chosen, grade.factor, grade.attempts, f"{grade.why}; dropped, one of the lowest")
        if grade in dropped else grade
        for grade in items
    ]  # fmt: skip
    percent = sum(grade.percent for grade in counted) / len(counted) if counted else 0.0
    return PartGrade("lectures", percent, scheme.lectures_weight, None, tuple(shown))


def _item(scheme: Scheme, item: str, attempts: list[Attempt], due: datetime | None, late: Late, extended: bool) -> ItemGrade:
    """The attempt that counts: the best after lateness, or the latest; of equal ones the earlier."""
    if not attempts:
        return ItemGrade(item, 0.0, None, 0.0, 0, "nothing handed in")
    rated = [(100 * attempt.points / attempt.most * late.factor(attempt.submitted, due), attempt) for attempt in attempts]
    if scheme.attempts == "best":
        percent, chosen = max(rated, key=lambda pair: pair[0])
    else:
        percent, chosen = max(rated, key=lambda pair: (pair[1].submitted is not None, pair[1].submitted or datetime.min.replace(tzinfo=scheme.zone)))
    factor = late.factor(chosen.submitted, due)
    why = f"{chosen.points:g} of {chosen.most:g} points ({chosen.source})"
    if chosen.submitted:
        why += f", handed in {chosen.submitted.astimezone(scheme.zone):%Y-%m-%d %H:%M %Z}"
    if due:
        why += f", due {due.astimezone(scheme.zone):%Y-%m-%d %H:%M %Z}" + (" by extension" if extended else "")
    if factor < 1:
        why += f", late: {factor:.0%} counts"
    if len(attempts) > 1:
        why += f"; the {scheme.attempts} of {len(attempts)} attempts"
    return ItemGrade(item, percent, chosen, factor, len(attempts), why)

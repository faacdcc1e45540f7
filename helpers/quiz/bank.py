"""The quiz's questions, read from `questions/*.yaml` and checked. When a question comes back is another file's business.

One file holds the questions of one lecture. A question: `id`, `point` of the syllabus, `see` (a heading of the lecture, or nothing), `ask`,
`right: [option, why]` and `wrong`, a list of such pairs.
"""

from dataclasses import dataclass
from pathlib import Path

import yaml

FOLDER = Path(__file__).with_name("questions")


class BankError(ValueError):
    """A file of questions can't be used; the message is one sentence that says which, and why."""


@dataclass(frozen=True)
class Option:
    """One option: its text, whether it is right, and why."""

    text: str
    right: bool
    why: str


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        id: unique in the quiz; progress is kept under it.
        lecture: "04_classification"; point: of the syllabus, "3.2"; see: a heading of that lecture, or "".
        ask: the question; options: the right one first, as written (a session shuffles them).
    """

    id: str
    lecture: str
    point: str
    see: str
    ask: str
    options: tuple[Option, ...]

    @property
    def pointer(self) -> str:
        """Where to read about it."""
        place = f"Lecture {int(self.lecture[:2])}, section {self.point}"
        return f"{place}, '{self.see}'" if self.see else place


def questions(folder: Path = FOLDER) -> tuple[Question, ...]:
    """Every question, in the order of the lectures.

    Raises:
        BankError: a file is no YAML, a question lacks a part, or an id or an option stands twice.
    """
    found: dict[str, Question] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            rows = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as problem:
            raise BankError(f"{path.name} can't be read as YAML: {problem}") from None
        for row in rows or []:
            one = _question(row, path)
            if one.id in found:
                raise BankError(f"{path.name}: the id '{one.id}' stands twice")
            found[one.id] = one
    return tuple(found.values())


def _question(row: dict, path: Path) -> Question:
    if not isinstance(row, dict) or not row.get("id"):
        raise BankError(f"{path.name} holds an entry without an id")
    lacking = [key for key in ("point", "ask", "right", "wrong") if not row.get(key)]
    if lacking:
        raise BankError(f"{path.name}: the question '{row['id']}' lacks {', '.join(lacking)}")
    pairs = [row["right"], *row["wrong"]]
    if len(pairs) < 3 or any(not isinstance(pair, list) or len(pair) != 2 or not all(pair) for pair in pairs):
        raise BankError(f"{path.name}: the question '{row['id']}' needs one right and at least two wrong pairs [option, why]")
    options = tuple(Option(str(text), number == 0, str(why)) for number, (text, why) in enumerate(pairs))
    if len({option.text.casefold().strip() for option in options}) < len(options):
        raise BankError(f"{path.name}: the question '{row['id']}' has an option twice")
    return Question(str(row["id"]), path.stem, str(row["point"]), str(row.get("see") or ""), str(row["ask"]), options)

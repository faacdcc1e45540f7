"""What was answered, kept in one JSON file on this machine: written whole or not at all; a broken file is put aside, never thrown away."""

import json
import os
from datetime import date
from pathlib import Path

from helpers.quiz.leitner import DAYS, Card

NAME = "progress.json"


def folder() -> Path:
    """Where progress is kept: the folder named by DLMIA_QUIZ, else `dlmia/quiz` in the user's cache."""
    named = os.environ.get("DLMIA_QUIZ")
    if named:
        return Path(named)
    import pooch

    return Path(pooch.os_cache("dlmia")) / "quiz"


class Progress:
    """The cards of one user.

    Attributes:
        path: the file.
        cards: question id -> card; those of questions that this version of the quiz doesn't hold stay in the file.
        note: one sentence if something was wrong with the file, else "".
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or folder() / NAME
        self.note = ""
        self.cards: dict[str, Card] = self._read()

    def keep(self, question: str, card: Card) -> None:
        """Keep one card. What another notebook wrote meanwhile stays; a folder that can't be written is told in `note`."""
        self.note = ""
        self.cards = {**self.cards, **self._read(), question: card}
        rows = {name: {"box": one.box, "due": one.due.isoformat(), "seen": one.seen, "right": one.right} for name, one in self.cards.items()}
        partial = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(json.dumps({"cards": rows}, indent=1), encoding="utf-8")
            partial.replace(self.path)
        except OSError as problem:
            self.note = f"Your progress is not kept: {self.path.parent} can't be written ({problem.strerror}). Set DLMIA_QUIZ to a folder of yours."

    def _read(self) -> dict[str, Card]:
        try:
            text = self.path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as problem:
            self.note = f"Your progress can't be read: {self.path} ({problem.strerror}). It stays as it is."
            return {}
        try:
            return {str(name): _card(row) for name, row in json.loads(text)["cards"].items()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self.note = self._put_aside()
            return {}

    def _put_aside(self) -> str:
        number = 1
        while (aside := self.path.with_name(f"{self.path.stem}.broken-{number}.json")).exists():
            number += 1
        try:
            self.path.rename(aside)
        except OSError as problem:
            return f"Your progress file {self.path} is broken and can't be moved ({problem.strerror}): move it away by hand, then begin anew."
        return f"Your progress file was broken. It is kept as {aside}, and you begin anew; mend it and move it back to go on where you were."


def _card(row: dict) -> Card:
    """A card from its row.

    Raises:
        ValueError, KeyError, TypeError: the row is none.
    """
    box, seen, right = row["box"], row["seen"], row["right"]
    if not all(type(number) is int for number in (box, seen, right)) or box not in DAYS or not 0 <= right <= seen:
        raise ValueError("no card")
    return Card(box, date.fromisoformat(row["due"]), seen, right)

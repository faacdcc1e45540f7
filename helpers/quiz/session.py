"""One sitting of the quiz: which question is open, what an answer earns, and the text for both. Buttons are another file's business."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from helpers.quiz.bank import Option, Question
from helpers.quiz.leitner import after
from helpers.quiz.progress import Progress

LETTERS = "ABCDEFGH"


@dataclass(frozen=True)
class Answer:
    """What an answer earned: whether it was right, and the text that explains every option, in Markdown."""

    right: bool
    text: str

    def __str__(self) -> str:
        return self.text

    def _repr_markdown_(self) -> str:
        return self.text


class Session:
    """A sitting: show it to see the open question, `answer` it, and go on.

    Args:
        questions: what is asked, in this order; progress: where answers are kept; today: the day of the answers.

    Attributes:
        asked, hits: how many were answered, and answered right.
    """

    def __init__(self, questions: Sequence[Question], progress: Progress, today: date) -> None:
        self.questions, self.progress, self.today = list(questions), progress, today
        self.asked = self.hits = 0

    @property
    def open(self) -> Question | None:
        """The question that waits for an answer; None at the end."""
        return self.questions[self.asked] if self.asked < len(self.questions) else None

    def options(self) -> list[Option]:
        """The options of the open question, as they are lettered: shuffled anew each time it comes back."""
        if self.open is None:
            return []
        card = self.progress.cards.get(self.open.id)
        options = list(self.open.options)
        random.Random(f"{self.open.id}/{card.seen if card else 0}").shuffle(options)
        return options

    def answer(self, letter: str) -> Answer:
        """Answer the open question; its card is kept, and the next one opens.

        Raises:
            ValueError: no question is open, or there is no such letter.
        """
        one, options = self.open, self.options()
        if one is None:
            raise ValueError("this sitting is over: begin another one")
        place = LETTERS.find(letter.strip().upper()) if len(letter.strip()) == 1 else -1
        if not 0 <= place < len(options):
            raise ValueError(f"answer with one of {', '.join(LETTERS[: len(options)])}, not {letter!r}")
        right = options[place].right
        card = after(self.progress.cards.get(one.id), right, self.today)
        lines = [f"**{'Right' if right else 'Not right'}: {LETTERS[place]}.** {one.ask}", ""]
        for key, option in zip(LETTERS, options, strict=False):
            mark = "**right**" if option.right else "wrong"
            lines.append(f"- {key} ({mark}) {option.text}: *{option.why}*")
        days = (card.due - self.today).days
        lines += ["", f"Read more: {one.pointer}. It comes back in {days} day{'s' * (days != 1)}, on {card.due:%d %B %Y}."]
        self.progress.keep(one.id, card)
        if self.progress.note:
            lines += ["", self.progress.note]
        self.asked += 1
        self.hits += right
        return Answer(right, "\n".join(lines))

    @property
    def text(self) -> str:
        """The open question with its options, or how the sitting went, in Markdown."""
        note = f"{self.progress.note}\n\n" if self.progress.note else ""
        if self.open is None:
            return note + (f"{self.hits} of {self.asked} right. Come back tomorrow." if self.asked else "Nothing is due today. Come back tomorrow.")
        place = f"**Question {self.asked + 1} of {len(self.questions)}** (lecture {int(self.open.lecture[:2])})"
        rows = [f"- **{key}** {option.text}" for key, option in zip(LETTERS, self.options(), strict=False)]
        return note + "\n".join([place, "", self.open.ask, "", *rows])

    def __repr__(self) -> str:
        return self.text

    def _repr_markdown_(self) -> str:
        return self.text

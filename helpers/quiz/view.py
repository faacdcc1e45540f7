"""How the quiz is seen in a notebook: a text that is replaced in place, buttons under it where ipywidgets is there, and a table of progress."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import pandas as pd
from IPython.display import Markdown, display

from helpers.quiz.bank import questions
from helpers.quiz.leitner import due, pick
from helpers.quiz.progress import Progress
from helpers.quiz.session import LETTERS, Session


def session(count: int = 10, lectures: Sequence[str] | None = None, today: date | None = None, progress: Progress | None = None) -> Session:
    """A sitting in text: the last line of a cell shows its open question, `sitting.answer("B")` answers it.

    Args:
        count: at most so many questions; lectures: "04" or full names, None for all.
        today: the day, this machine's by default; progress: this user's by default.
    """
    progress, today = progress or Progress(), today or date.today()
    return Session(pick(questions(), progress.cards, today, count, lectures), progress, today)


def play(count: int = 10, lectures: Sequence[str] | None = None, today: date | None = None, progress: Progress | None = None) -> Session:
    """A sitting with buttons. Without ipywidgets the first question still shows, and the sitting that comes back takes `answer("B")`."""
    sitting = session(count, lectures, today, progress)
    shown = display(Markdown(sitting.text), display_id=True)
    if sitting.open is not None:
        try:
            import ipywidgets as widgets
        except ImportError:
            print('There are no buttons here, since ipywidgets is missing. Answer with sitting = quiz.session(), then sitting.answer("B").')
            return sitting
        display(_buttons(sitting, shown, widgets))
    return sitting


def _buttons(sitting: Session, shown: Any, widgets: Any) -> Any:
    """A button a letter, and one that goes on."""
    most = max(len(one.options) for one in sitting.questions)
    letters = [widgets.Button(description=key, tooltip=f"Answer {key}", layout=widgets.Layout(width="4em")) for key in LETTERS[:most]]
    forward = widgets.Button(description="Next", tooltip="Next question", disabled=True)

    def ask() -> None:
        for number, button in enumerate(letters):
            button.disabled = number >= len(sitting.options())
        forward.disabled = True

    def take(button: Any) -> None:
        answer = sitting.answer(button.description)
        for other in letters:
            other.disabled = True
        forward.disabled = False
        shown.update(Markdown(answer.text))

    def go_on(_button: Any) -> None:
        ask()
        shown.update(Markdown(sitting.text))

    for button in letters:
        button.on_click(take)
    forward.on_click(go_on)
    ask()
    return widgets.HBox([*letters, forward], layout=widgets.Layout(flex_flow="row wrap"))


def overview(today: date | None = None, progress: Progress | None = None) -> pd.DataFrame:
    """Where you stand, lecture by lecture: questions, how many you have met, how many wait today, share of right answers, mean box."""
    progress, today = progress or Progress(), today or date.today()
    if progress.note:
        print(progress.note)
    rows = []
    everything = questions()
    for lecture in dict.fromkeys(one.lecture for one in everything):
        ids = [one.id for one in everything if one.lecture == lecture]
        cards = [progress.cards[name] for name in ids if name in progress.cards]
        seen, right = sum(card.seen for card in cards), sum(card.right for card in cards)
        rows.append(
            {
                "lecture": lecture,
                "questions": len(ids),
                "met": len(cards),
                "wait today": sum(due(card, today) for card in cards),
                "right": f"{right / seen:.0%}" if seen else "-",
                "mean box": f"{sum(card.box for card in cards) / len(cards):.1f}" if cards else "-",
            }
        )
    return pd.DataFrame(rows).set_index("lecture")

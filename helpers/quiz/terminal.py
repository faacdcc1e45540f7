"""The quiz in a terminal: `python -m helpers quiz`. It needs neither a notebook nor widgets."""

from collections.abc import Callable, Sequence

from helpers.quiz.session import LETTERS
from helpers.quiz.view import session


def ask(count: int = 10, lectures: Sequence[str] | None = None, read: Callable[[str], str] | None = None, say: Callable[[str], None] = print) -> int:
    """Ask until the sitting is over, or until "q" or the end of the input.

    Args:
        count: at most so many questions; lectures: "04" or full names, None for all.
        read, say: how an answer comes in (None: from the keyboard) and a text goes out.

    Returns:
        How many questions were answered.
    """
    sitting, read = session(count, lectures), read or input
    while sitting.open is not None:
        say(f"\n{_plain(sitting.text)}")
        letters = LETTERS[: len(sitting.options())]
        try:
            letter = read(f"Your answer ({letters[0]} to {letters[-1]}, q to stop): ").strip()
        except (EOFError, KeyboardInterrupt):
            break
        if letter.casefold() == "q":
            break
        try:
            say(f"\n{_plain(sitting.answer(letter).text)}")
        except ValueError as problem:
            say(str(problem))
    say(f"\n{_plain(sitting.text)}" if sitting.open is None else f"\n{sitting.hits} of {sitting.asked} right so far. What you answered is kept.")
    return sitting.asked


def _plain(text: str) -> str:
    """Markdown without its marks."""
    return text.replace("**", "").replace(": *", ": ").replace("*\n", "\n")

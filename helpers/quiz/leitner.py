"""When a question comes back: five boxes, after Leitner, So lernt man lernen, Herder, 1972. Dates come in as arguments; no clock is read here.

A right answer moves a question one box on, a wrong one moves it back to the first. The higher the box, the longer the pause.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from helpers.quiz.bank import Question

DAYS = {1: 1, 2: 3, 3: 7, 4: 16, 5: 35}  # box -> days until the question is due again
LAST = max(DAYS)


@dataclass(frozen=True)
class Card:
    """What is known of one question.

    Attributes:
        box: 1 to 5; due: the day from which on it is asked again; seen, right: how often it was answered, and answered right.
    """

    box: int
    due: date
    seen: int = 0
    right: int = 0


def after(card: Card | None, right: bool, today: date) -> Card:
    """The card after an answer.

    A right answer before the day it was due leaves box and day as they are: repeating at once shows that the answer was just read.

    Args:
        card: as it was, None for a question that was never answered; right: whether the answer was; today: the day of the answer.
    """
    seen, hits = (card.seen, card.right) if card else (0, 0)
    if right and card and today < card.due:
        return Card(card.box, card.due, seen + 1, hits + 1)
    box = min((card.box if card else 1) + 1, LAST) if right else 1
    return Card(box, today + timedelta(days=DAYS[box]), seen + 1, hits + right)


def due(card: Card | None, today: date) -> bool:
    """Whether a question waits to be asked; one that was never answered does."""
    return card is None or card.due <= today


def pick(
    questions: Sequence[Question], cards: Mapping[str, Card], today: date, count: int = 10, lectures: Sequence[str] | None = None
) -> list[Question]:
    """The questions of a sitting, mixed over lectures: first what is due, the longest overdue first; then what is new.

    Args:
        questions: all there are; cards: id -> card of those that were answered; today; count: at most so many.
        lectures: names, or their first two digits, to which the sitting is narrowed; None takes all.

    Returns:
        The same questions on the same day with the same cards; the order is shuffled, so that the topic gives no hint.
    """
    rng = random.Random(today.isoformat())
    wanted = [one for one in questions if lectures is None or one.lecture in lectures or one.lecture[:2] in lectures]
    waiting = sorted((one for one in wanted if one.id in cards and due(cards[one.id], today)), key=lambda one: (cards[one.id].due, cards[one.id].box))
    new = _interleaved([one for one in wanted if one.id not in cards], rng)
    chosen = [*waiting, *new][:count]
    rng.shuffle(chosen)
    return chosen


def _interleaved(questions: list[Question], rng: random.Random) -> list[Question]:
    """One of each lecture in turn, so that a short sitting touches many."""
    by_lecture: dict[str, list[Question]] = {}
    for one in questions:
        by_lecture.setdefault(one.lecture, []).append(one)
    piles = list(by_lecture.values())
    for pile in piles:
        rng.shuffle(pile)
    rng.shuffle(piles)
    rounds = max(map(len, piles), default=0)
    return [pile[k] for k in range(rounds) for pile in piles if k < len(pile)]

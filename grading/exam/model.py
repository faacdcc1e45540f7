"""What a question is: numeric, multiple choice or short code, made by a template from a seed. Nothing is drawn, shown or graded here."""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np


@dataclass(frozen=True)
class Numeric:
    """A question whose answer is a number.

    Attributes:
        text: Markdown, with every figure that is needed, and the unit that is asked for.
        answer: the right value; unit: its unit, "" for a pure number; tolerance: absolute, what rounding may cost.
        traps: (value, the slip that leads to it): wrong answers that a paper's feedback names; none within the tolerance of the answer.
        explanation: how to get there, in two sentences.
    """

    text: str
    answer: float
    unit: str
    tolerance: float
    traps: tuple[tuple[float, str], ...]
    explanation: str


@dataclass(frozen=True)
class Choice:
    """A question with one right option.

    Attributes:
        text: Markdown; right: the right option.
        wrong: three or more (option, why it is wrong).
        explanation: why the right one is right.
    """

    text: str
    right: str
    wrong: tuple[tuple[str, str], ...]
    explanation: str


@dataclass(frozen=True)
class Code:
    """A question that asks for a function of a few lines.

    Attributes:
        text: Markdown.
        name: of the function; stub: `def` line and docstring; body: the reference, not indented; NumPy is there as np.
        wrong: (body, the misconception), which must fail.
        calls: the arguments of each call that is judged: numbers, text, lists or arrays; the first one is also shown, with its result.
        tolerance: absolute and relative, for comparing numbers.
        explanation: what the point is.
    """

    text: str
    name: str
    stub: str
    body: str
    wrong: tuple[tuple[str, str], ...]
    calls: tuple[tuple, ...]
    explanation: str
    tolerance: float = 1e-6


Question = Numeric | Choice | Code
KINDS = {"numeric": Numeric, "choice": Choice, "code": Code}


@dataclass(frozen=True)
class Template:
    """A family of questions.

    Attributes:
        id: the function's name; lecture: "04_classification"; point: of the syllabus ("3.2"); kind; difficulty: 1 to 3.
        make: a question from a generator; the same generator state gives the same question.
    """

    id: str
    lecture: str
    point: str
    kind: str
    difficulty: int
    make: Callable[[np.random.Generator], Question]

    def question(self, seed: int) -> Question:
        """The question of a seed."""
        return self.make(np.random.default_rng([seed, *self.id.encode()]))


_TEMPLATES: dict[str, Template] = {}


def template(point: str, kind: str, difficulty: int) -> Callable:
    """Decorator of a function rng -> question: puts it into the bank under its name.

    Raises:
        ValueError: the name is taken, or kind or difficulty is none that there is.
    """

    def take(make: Callable[[np.random.Generator], Question]) -> Callable:
        from grading.sources import syllabus

        owner = next((lecture for lecture, points in syllabus()["lectures"].items() if point in map(str, points)), None)
        name = make.__name__
        if name in _TEMPLATES or kind not in KINDS or difficulty not in (1, 2, 3) or owner is None:
            told = f"the question {name} ({point}, {kind}, {difficulty})"
            raise ValueError(f"{told}: its name is taken, or point, kind or difficulty is none that there is")
        _TEMPLATES[name] = Template(name, owner, point, kind, difficulty, make)
        return make

    return take


@cache
def bank() -> tuple[Template, ...]:
    """Every template, in order of the lectures."""
    from grading.exam import bank as rooms

    for room in sorted(module.name for module in pkgutil.iter_modules(rooms.__path__)):
        importlib.import_module(f"{rooms.__name__}.{room}")
    return tuple(sorted(_TEMPLATES.values(), key=lambda one: (one.lecture, one.point, one.id)))

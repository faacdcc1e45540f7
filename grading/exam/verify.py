"""Is a question sound? Its reference solves it, each distractor and trap is wrong, for every seed; each fault is one sentence."""

import copy
from typing import Any

import numpy as np

from grading.exam.model import KINDS, Choice, Code, Numeric, Template

SEEDS = range(200)


def faults(template: Template, seeds: range = SEEDS) -> list[str]:
    """The faults of a template over many seeds, each said once."""
    found: dict[str, int] = {}
    texts = set()
    for seed in seeds:
        question = template.question(seed)
        texts.add(repr(question))
        if repr(template.question(seed)) != repr(question):
            found.setdefault("gives two questions for one seed", seed)
        if type(question) is not KINDS[template.kind]:
            found.setdefault(f"is no {template.kind} question", seed)
            continue
        check = {Numeric: _numeric, Choice: _choice, Code: _code}[type(question)]
        for fault in check(question):
            found.setdefault(fault, seed)
    if len(texts) < min(5, len(seeds)) and template.kind != "choice":
        found["has no parameters: fewer than five different questions in all seeds"] = seeds[0]
    return [f"{template.id} (seed {seed}) {fault}" for fault, seed in found.items()]


def _common(text: str, explanation: str) -> list[str]:
    found = ["has a text that is too short to be a question"] if len(text) < 40 else []
    return found + (["has no explanation"] if len(explanation) < 20 else [])


def _numeric(question: Numeric) -> list[str]:
    found = _common(question.text, question.explanation)
    values = [question.answer, question.tolerance, *(value for value, _ in question.traps)]
    if not np.isfinite(values).all() or question.tolerance <= 0:
        return [*found, "has a value that is not finite, or a tolerance that is not above 0"]
    if question.tolerance > 0.05 * max(abs(question.answer), 1e-9) and question.tolerance > 0.051:
        found.append("has a tolerance of more than 5 % of the answer")
    if len(question.traps) < 2:
        found.append("names fewer than two traps")
    for value, slip in question.traps:
        if abs(value - question.answer) <= 2 * question.tolerance:
            found.append(f"has a trap that is right within twice the tolerance: {slip}")
    if question.unit and question.unit not in question.text:
        found.append(f"does not ask for the unit {question.unit}")
    return found


def _choice(question: Choice) -> list[str]:
    found = _common(question.text, question.explanation)
    options = [question.right, *(option for option, _ in question.wrong)]
    if len(question.wrong) < 3:
        found.append("has fewer than three distractors")
    if len({option.strip().casefold() for option in options}) < len(options):
        found.append("has two options that are the same")
    if any(len(why) < 15 for _, why in question.wrong):
        found.append("has a distractor without its reason")
    mean = sum(len(option) for option, _ in question.wrong) / max(1, len(question.wrong))
    if len(question.right) > 2 * mean + 10:
        found.append("tells the right option by its length")
    return found


def source_of(question: Code, body: str) -> str:
    """The function as source, with this body."""
    lines = "\n".join(f"    {line}" if line.strip() else "" for line in body.strip("\n").splitlines())
    return f"{question.stub.rstrip()}\n{lines}\n"


def results(question: Code, body: str) -> list[Any]:
    """What a body gives for each call; the error where it fails. For bodies of the bank only."""
    namespace: dict[str, Any] = {"np": np}
    exec(compile(source_of(question, body), f"<{question.name}>", "exec"), namespace)
    found = []
    for arguments in question.calls:
        try:
            with np.errstate(all="ignore"):
                found.append(namespace[question.name](*copy.deepcopy(arguments)))
        except Exception as problem:
            found.append(problem)
    return found


def same(one: Any, other: Any, tolerance: float) -> bool:
    """Whether two results are equal: kind, shape and value."""
    if isinstance(one, Exception) or isinstance(other, Exception):
        return False
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    try:
        a, b = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    except (TypeError, ValueError):
        return False
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True))


def _code(question: Code) -> list[str]:
    found = _common(question.text, question.explanation)
    right = results(question, question.body)
    if any(isinstance(one, Exception) for one in right):
        return [*found, f"has a reference that fails: {next(one for one in right if isinstance(one, Exception))}"]
    if len(question.calls) < 3 or len(question.wrong) < 2:
        found.append("needs three calls and two wrong answers")
    for body, slip in question.wrong:
        if all(same(one, other, question.tolerance) for one, other in zip(results(question, body), right, strict=True)):
            found.append(f"can't tell a wrong answer from the right one: {slip}")
    if f"def {question.name}(" not in question.stub or '"""' not in question.stub:
        found.append("has a stub without its function or docstring")
    return found

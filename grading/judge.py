"""Check cells, run in a trusted process: what they say and how many points they give. No student code is ever in here."""

import ast
import builtins
import contextlib
import io
import linecache
import random
import re
import sys
import traceback
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from grading.names import needed
from grading.remote import Channel, NotData
from grading.sandbox import Ended
from grading.sandbox.wire import WireError

HIDDEN = re.compile(r"### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS", re.S)


@dataclass(frozen=True)
class Verdict:
    """What a check cell decided.

    Attributes:
        check: its grade id; points, of max_points.
        reason: a sentence for the student, empty when nothing is wrong.
        output: what the check and the student's code printed.
        ended: the student's process is gone, so nothing can be judged any more.
    """

    check: str
    points: float
    max_points: float
    reason: str = ""
    output: str = ""
    ended: bool = False


def _seed(seed: int, name: str) -> None:
    number = zlib.crc32(f"{seed} {name}".encode())
    random.seed(number)
    np.random.seed(number)  # noqa: NPY002 - checks and libraries may draw from it
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(number)


def judge(check: str, source: str, max_points: float, channel: Channel, trusted: dict[str, Any], seed: int = 0) -> Verdict:
    """Run one check cell.

    Args:
        check: its grade id.
        source: its pristine text, hidden part included.
        max_points: what it can give. A last line that is a number gives that many points; otherwise it is all, or none when it raises.
        channel: to the student's process.
        trusted: the namespace of the pristine set-up cell, run in this process; it is not changed.
        seed: of every generator, mixed with the check's name.

    Returns:
        Points and reason; nothing that a student does raises here.
    """
    name = f"<check {check}>"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    namespace, out = dict(trusted), io.StringIO()
    channel.check, channel.printed = check, []
    _seed(seed, check)

    def verdict(points: float, reason: str = "", ended: bool = False) -> Verdict:
        printed = "".join(channel.printed) + out.getvalue()
        return Verdict(check, points, max_points, reason, printed[:20_000], ended)

    try:
        with contextlib.redirect_stdout(out):
            namespace.update(channel.names(sorted(needed(source) - set(trusted))))
            tree = ast.parse(source, name)
            last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, name, "exec"), namespace)
            value = eval(compile(ast.Expression(last.value), name, "eval"), namespace) if last is not None else None
    except Ended as problem:
        return verdict(0, f"This could not be judged: {problem}.", ended=True)
    except BaseException as problem:
        return verdict(0, explain(problem, source, name))
    if isinstance(value, (int, float)) and not isinstance(value, bool) and np.isfinite(value):
        points = float(min(max(value, 0), max_points))
        return verdict(points, "" if points == max_points else f"Partly right: {points:g} of {max_points:g} points.")
    return verdict(max_points)


def hidden_lines(source: str) -> set[int]:
    """Numbers (from 1) of the lines between the marks of a hidden part."""
    found: set[int] = set()
    for match in HIDDEN.finditer(source):
        first = source.count("\n", 0, match.start()) + 1
        found |= set(range(first, first + match[0].count("\n") + 1))
    return found


def explain(problem: BaseException, source: str, name: str) -> str:
    """Why a check failed, in a sentence that never shows a hidden value or input.

    Args:
        problem: what was raised.
        source: the check's text; name: its file name in the traceback.
    """
    lines = [frame.lineno for frame in traceback.extract_tb(problem.__traceback__) if frame.filename == name]
    line = lines[-1] if lines else 0
    hidden = line in hidden_lines(source)
    theirs = getattr(problem, "theirs", None)
    if theirs is not None:
        if hidden:
            return f"Your code raised {theirs['type']} on another input of the same kind."
        return f"Your code raised {theirs['type']}: {theirs['message']}" if theirs["message"] else f"Your code raised {theirs['type']}."
    if isinstance(problem, AssertionError):
        said = _hidden_message(source, line) if hidden else str(problem)
        return said or "A check failed" + (" on another input of the same kind." if hidden else f": {_line(source, line)}")
    if isinstance(problem, NameError) and getattr(problem, "name", None) and not hasattr(builtins, problem.name):
        return f"`{problem.name}` is not defined: the cell that should define it is missing, unanswered or stopped with an error."
    if isinstance(problem, (NotData, WireError)):
        return f"Your answer is of the wrong kind: {problem}."
    if hidden:
        return f"Your answer is of the wrong kind on another input: comparing it raised {type(problem).__name__}."
    return f"Your answer is of the wrong kind: comparing it raised {type(problem).__name__}: {problem}"


def _line(source: str, number: int) -> str:
    lines = source.splitlines()
    return lines[number - 1].strip() if 0 < number <= len(lines) else "an assertion"


def _hidden_message(source: str, line: int) -> str:
    """The words of a hidden assertion's message, with every computed value left out."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assert) and node.lineno <= line <= (node.end_lineno or node.lineno) and node.msg is not None:
            if isinstance(node.msg, ast.Constant):
                return str(node.msg.value)
            if isinstance(node.msg, ast.JoinedStr):
                return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.msg.values)
        if isinstance(node, ast.Raise) and node.lineno <= line <= (node.end_lineno or node.lineno) and isinstance(node.exc, ast.Call):
            first = node.exc.args[0] if node.exc.args else None
            if isinstance(first, ast.Constant):
                return str(first.value)
    return ""

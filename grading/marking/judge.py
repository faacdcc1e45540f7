"""Check cells, run in a trusted process: what they say and how many points they give. No student code is ever in here.

What a student reads about a check comes from a run of its visible part alone, in a process that no hidden input ever entered; the run that
decides the points, hidden part included, says only what the course's author wrote, see `explain`.

An answer must not win by overwriting what it is compared with. So a check is run with its arguments as they were before each call; and if
a call changed one, once more with them as the call left them, as in the student's own notebook: it must hold both times. Where a change
is the point of the exercise, the line of the call says so, `standardise(image)  # in place`, and both runs see it. A model or an optimizer
that the course gives comes back changed after such calls only.
"""

import ast
import builtins
import contextlib
import io
import linecache
import numbers
import random
import re
import sys
import traceback
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from grading.marking.given import Twins
from grading.marking.remote import Channel, Ended, NotData, Remote
from grading.sandbox.wire import WireError
from grading.text import clean

_IN_PLACE = re.compile(r"#\s*in place\s*(?:[.,;:(-].*)?$")
_MOST = 1000  # characters of a reason
_TOLD = (TypeError, ValueError, IndexError, KeyError, AttributeError, NameError, ZeroDivisionError, NotImplementedError)  # of hidden inputs


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


def judge(check: str, source: str, max_points: float, channel: Channel, twins: Twins, seed: int = 0, shown: bool = False) -> Verdict:
    """Run one check cell.

    Args:
        check: its grade id.
        source: its text. A last line that is a number gives that many points; otherwise it is all, or none when it raises.
        max_points: what it can give.
        channel: to the student's process.
        twins: gives the names that it reads.
        seed: of every generator, mixed with the check's name.
        shown: the text is what students have and the student may read what comes out; otherwise nothing of the run is told.

    Returns:
        Points and reason; nothing that a student does raises here.
    """
    channel.touched = False
    verdict = _run(check, source, max_points, channel, twins, seed, shown, as_left=shown)
    if channel.touched and verdict.points:
        again = _run(check, source, max_points, channel, twins, seed, shown, as_left=True)
        return again if again.points < verdict.points else verdict
    return verdict


def _run(check: str, source: str, max_points: float, channel: Channel, twins: Twins, seed: int, shown: bool, as_left: bool) -> Verdict:
    """Run a check once; see `judge`."""
    name = f"<check {check}>"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    out = io.StringIO()
    channel.check, channel.printed, channel.as_left = check, [], as_left
    marked = _marked(source)
    channel.in_place = lambda: _line_of(name) in marked
    _seed(seed, check)

    def verdict(points: float, reason: str = "", ended: bool = False) -> Verdict:
        printed = clean("".join(channel.printed) + out.getvalue()) if shown else ""
        return Verdict(check, points, max_points, clean(reason, _MOST), printed, ended)

    try:
        with contextlib.redirect_stdout(out):
            namespace = twins.namespace(source)
            tree = ast.parse(source, name)
            last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, name, "exec"), namespace)
            value = eval(compile(ast.Expression(last.value), name, "eval"), namespace) if last is not None else None
            theirs = last is not None and isinstance(namespace.get(_root(last.value)), Remote)  # what is a student's is no number of points
            points = max_points if theirs else _points(value, max_points)
        if channel.ended:  # even if the check took the end for an error that it was waiting for
            raise Ended(channel.ended)
    except Ended as problem:
        return verdict(0, f"This could not be judged: {problem}.", ended=True)
    except BaseException as problem:
        return verdict(0, explain(problem, source, name, shown))
    return verdict(points, "" if points == max_points else f"Partly right: {points:g} of {max_points:g} points.")


def _seed(seed: int, name: str) -> None:
    number = zlib.crc32(f"{seed} {name}".encode())
    random.seed(number)
    np.random.seed(number)  # noqa: NPY002 - checks and libraries may draw from it
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(number)


def _points(value: Any, most: float) -> float:
    """What the value of a check's last line gives: a number that many points, true or false all or none, None all.

    Raises:
        NotData: it is none of these, so something else than a number came into the sum.
    """
    if value is None:
        return most
    if not isinstance(value, Remote) and getattr(value, "shape", None) == () and hasattr(value, "item"):  # of NumPy or torch
        value = value.item()
    if isinstance(value, numbers.Real):
        value = most * value if isinstance(value, bool) else float(value)
        return float(min(max(value, 0), most)) if value == value else 0.0  # nan is not a point
    raise NotData("a single number, text or truth was expected in one of its parts")


def _root(node: ast.AST) -> str:
    """The name with which a chain of calls, attributes and items begins."""
    while isinstance(node, ast.Call | ast.Attribute | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _marked(source: str) -> set[int]:
    """Numbers of the lines of statements that hold a comment `# in place`."""
    marks = {number for number, line in enumerate(source.splitlines(), 1) if _IN_PLACE.search(line)}
    found = set(marks)
    for node in ast.walk(ast.parse(source)) if marks else ():
        if isinstance(node, ast.stmt) and not hasattr(node, "body"):
            lines = set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
            found |= lines if lines & marks else set()
    return found


def _line_of(name: str) -> int:
    """The line of the check that is running now."""
    frame = sys._getframe()
    while frame is not None and frame.f_code.co_filename != name:
        frame = frame.f_back
    return frame.f_lineno if frame is not None else 0


def explain(problem: BaseException, source: str, name: str, shown: bool) -> str:
    """Why a check failed, in a sentence.

    Args:
        problem: what was raised.
        source: the check's text; name: its file name in the traceback.
        shown: everything may be told; otherwise only words that stand in the check as a message, and kinds of errors.
    """
    lines = [frame.lineno for frame in traceback.extract_tb(problem.__traceback__) if frame.filename == name]
    line = lines[-1] if lines else 0
    theirs = getattr(problem, "theirs", None)
    if theirs is not None and not shown:
        return f"Your code raised {_kind(problem)} on another input of the same kind."
    if theirs is not None:
        return f"Your code raised {theirs['type']}: {theirs['message']}" if theirs["message"] else f"Your code raised {theirs['type']}."
    if isinstance(problem, AssertionError):
        if not shown:
            return _written(source, line, str(problem)) or "A check failed on another input of the same kind."
        return str(problem) or f"A check failed: {_text(source, line)}"
    if not shown:
        what = "" if isinstance(problem, (NotData, WireError)) else f": comparing it raised {_kind(problem)}"
        return f"Your answer is of the wrong kind on another input{what}."
    if isinstance(problem, NameError) and getattr(problem, "name", None) and not hasattr(builtins, problem.name):
        return f"`{problem.name}` is not defined: the cell that should define it is missing, unanswered or stopped with an error."
    if isinstance(problem, (NotData, WireError)):
        return f"Your answer is of the wrong kind: {problem}."
    if Remote.__name__ in str(problem):  # a library's words for what it got
        return "Your answer is of the wrong kind: an object was returned where a number, text, list or array is expected."
    return f"Your answer is of the wrong kind: comparing it raised {type(problem).__name__}: {problem}"


def _kind(problem: BaseException) -> str:
    """One of the few kinds of error that are told of a hidden input: more would be a way to tell the input itself."""
    return next((kind.__name__ for kind in _TOLD if isinstance(problem, kind)), "an error")


def _text(source: str, number: int) -> str:
    lines = source.splitlines()
    return lines[number - 1].strip() if 0 < number <= len(lines) else "an assertion"


def _written(source: str, line: int, said: str) -> str:
    """The words of the assertion's message at a line, with every computed value left out."""
    nodes = list(ast.walk(ast.parse(source)))
    if said in {node.value for node in nodes if isinstance(node, ast.Constant)}:
        return said
    for node in nodes:
        if isinstance(node, ast.Assert | ast.Raise) and node.lineno <= line <= (node.end_lineno or node.lineno):
            message = node.msg if isinstance(node, ast.Assert) else (getattr(node.exc, "args", None) or [None])[0]
            if isinstance(message, ast.JoinedStr):
                return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in message.values)
    return ""

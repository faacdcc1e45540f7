"""How a check speaks in a notebook: one line when it passes, one sentence instead of a traceback when it fails. It judges nothing."""

import ast
import linecache
import traceback
from types import TracebackType
from typing import Any

_DONE = "_helpers_speak"  # set on the shell once this is switched on
_HEARD = (AssertionError, NotImplementedError, TypeError, AttributeError, RuntimeError)  # the last three: an answer that gave nothing back


def idea_of(source: str) -> str:
    """What a check cell is about: its first comment, or '' if the cell is no check (a comment first, then assertions, no picture)."""
    lines = [line for line in source.splitlines() if line.strip() and not line.startswith(("# uses:", "# in place"))]
    if not lines or not lines[0].startswith("# ") or "show." in source or "results." in source:
        return ""
    try:
        asserts = any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(source)))
    except SyntaxError:
        return ""
    return lines[0].removeprefix("# ").strip() if asserts else ""


def switch_on() -> None:
    """Let checks speak in this kernel; once is enough, more does no harm. Outside IPython nothing happens."""
    try:
        from IPython import get_ipython
    except ImportError:
        return
    shell = get_ipython()
    if shell is None or getattr(shell, _DONE, False):
        return
    shell.events.register("post_run_cell", _praise)
    shell.set_custom_exc(_HEARD, _explain)
    setattr(shell, _DONE, True)


def _praise(result: Any) -> None:
    idea = idea_of(result.info.raw_cell or "") if result.success and result.info is not None else ""
    if idea:
        print(f"\N{WHITE HEAVY CHECK MARK} {idea}")


def _explain(shell: Any, kind: type, problem: Exception, trace: TracebackType, tb_offset: int | None = None) -> None:
    """An assertion of a check, or an unanswered exercise: the sentence alone. Else the traceback, and what it means that a check met None."""
    innermost = traceback.extract_tb(trace)[-1] if trace else None
    in_a_cell = innermost is not None and ("ipykernel" in innermost.filename or innermost.filename.startswith("<ipython"))
    if not isinstance(problem, (AssertionError, NotImplementedError)):
        shell.showtraceback((kind, problem, trace), tb_offset=tb_offset)
        if in_a_cell and "NoneType" in str(problem) and idea_of("".join(linecache.getlines(innermost.filename))):
            print("\x1b[1;31mNot yet right:\x1b[0m your answer gave back None where the check needs a value. Does the function end with return?")
        return
    if str(problem) and (in_a_cell or isinstance(problem, NotImplementedError)):
        mark = "Not answered yet" if isinstance(problem, NotImplementedError) else "Not yet right"
        # bold and not red: notebooks put an error on red, which swallows it in a dark theme
        lines = [f"\x1b[1m{mark}:\x1b[0m {problem}"]
    else:
        lines = shell.InteractiveTB.structured_traceback(kind, problem, trace, tb_offset=tb_offset)
    shell._showtraceback(kind, problem, lines)

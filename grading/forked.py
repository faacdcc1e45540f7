"""Run a function in a child process with a time limit, without importing anything again; it knows nothing of lectures."""

import json
import os
import select
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any

CAN_FORK = hasattr(os, "fork")


class ChildFailed(Exception):
    """The child gave no answer: it ran too long, died, or raised; the message says which."""


def call(function: Callable[[], Any], seconds: float) -> Any:
    """`function()`, run in a forked child whose output is thrown away.

    Args:
        function: takes nothing, returns what JSON can carry.
        seconds: how long it may take. Where the system can't fork, it runs in this process without a limit.

    Raises:
        ChildFailed: no answer came.
    """
    if not CAN_FORK:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            return json.loads(json.dumps(function()))
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _answer(function, writer)
    os.close(writer)
    try:
        text = _read(reader, seconds)
    except TimeoutError:
        os.kill(child, signal.SIGKILL)
        raise ChildFailed(f"it ran for more than {seconds:g} s and was stopped") from None
    finally:
        os.close(reader)
        _, status = os.waitpid(child, 0)
    if not text:
        raise ChildFailed(f"its process died ({os.waitstatus_to_exitcode(status)})")
    answer = json.loads(text)
    if "error" in answer:
        raise ChildFailed(answer["error"])
    return answer["value"]


def _answer(function: Callable[[], Any], writer: int) -> None:
    """The child's whole life: call, write the answer, leave without running anybody's clean-up."""
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        try:
            text = json.dumps({"value": function()})
        except BaseException:  # also SystemExit and KeyboardInterrupt of an answer under test
            text = json.dumps({"error": traceback.format_exc(limit=-3)})
        with os.fdopen(writer, "w", encoding="utf-8") as pipe:
            pipe.write(text)
    finally:
        os._exit(0)


def _read(reader: int, seconds: float) -> str:
    """Everything written to a pipe until it closes; TimeoutError if that takes too long."""
    end, parts = time.monotonic() + seconds, []
    while True:
        left = end - time.monotonic()
        if left <= 0 or not select.select([reader], [], [], left)[0]:
            raise TimeoutError
        part = os.read(reader, 1 << 16)
        if not part:
            return b"".join(parts).decode()
        parts.append(part)

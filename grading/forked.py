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


class Child:
    """A function running in a forked child whose output is thrown away.

    Args:
        function: takes nothing, returns what JSON can carry.
        seconds: how long it may take.
    """

    def __init__(self, function: Callable[[], Any], seconds: float) -> None:
        self.seconds, self._end, self._parts = seconds, time.monotonic() + seconds, []
        self._reader, writer = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._reader)
            _answer(function, writer)
        os.close(writer)

    def fileno(self) -> int:
        """For `select`: readable when `step` has something to do."""
        return self._reader

    def late(self) -> bool:
        """Whether its time is over."""
        return time.monotonic() > self._end

    def step(self) -> bool:
        """Take in what has arrived, without waiting for more than that; True when the child is done."""
        part = os.read(self._reader, 1 << 16)
        self._parts.append(part)
        return not part

    def result(self) -> Any:
        """What the function returned. Call it when the child is done, or late: then it is stopped.

        Raises:
            ChildFailed: no answer came.
        """
        done = bool(self._parts) and not self._parts[-1]
        if not done:
            os.kill(self._pid, signal.SIGKILL)
        os.close(self._reader)
        _, status = os.waitpid(self._pid, 0)
        if not done:
            raise ChildFailed(f"it ran for more than {self.seconds:g} s and was stopped")
        text = b"".join(self._parts).decode()
        if not text:
            raise ChildFailed(f"its process died ({os.waitstatus_to_exitcode(status)})")
        answer = json.loads(text)
        if "error" in answer:
            raise ChildFailed(answer["error"])
        return answer["value"]


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
    child = Child(function, seconds)
    while not child.late():
        if select.select([child], [], [], 0.5)[0] and child.step():
            break
    return child.result()


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

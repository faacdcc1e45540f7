"""Where a student's code runs: a jailed, warm fork server and one process for each submission. No check and no point lives here."""

import json
import os
import socket
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from grading.sandbox import memory, wire
from grading.sandbox.jail import JailError, command, requirements

__all__ = ["Ended", "JailError", "Limits", "Process", "Sandbox", "requirements"]


@dataclass(frozen=True)
class Limits:
    """What one submission may use.

    Attributes:
        seconds: wall time of the whole submission; cell_seconds: of one cell or call.
        memory: bytes of all its processes together; disk: bytes in /tmp, and as many again in /dev/shm.
        processes: how many at once, threads included; answer: bytes of one answer.
    """

    seconds: int = 600
    cell_seconds: int = 120
    memory: int = 4 * 2**30
    disk: int = 256 * 2**20
    processes: int = 64
    answer: int = wire.LIMIT


class Ended(RuntimeError):
    """The student's process is gone or was stopped; the message says why, in words for the student."""


class Process:
    """One submission's process, as the judge holds it."""

    def __init__(self, sandbox: "Sandbox", number: int, stream: socket.socket, limits: Limits, deadline: float) -> None:
        self._sandbox, self._number, self._stream, self._limits, self._deadline = sandbox, number, stream, limits, deadline
        self.ended, self.broken, self.keeper, self.lock = "", "", 0, None

    def ask(self, message: dict, blobs: list[bytes] = ()) -> tuple[dict, list[bytes]]:
        """Send one operation and wait for its answer.

        Raises:
            Ended: the process is gone, took too long or broke the protocol. WireError: the question is too large.
        """
        if self.ended:
            raise Ended(self.ended)
        left = self._deadline - time.monotonic()
        patience = min(left, self._limits.cell_seconds)
        if patience <= 0:
            self.stop(f"the submission used up its {self._limits.seconds} s")
        try:
            self._stream.settimeout(patience)
            with suppress(wire.Closed):  # a process that is gone may have said why before the question came
                wire.send(self._stream, message, blobs, self._limits.answer)
            answer, parts = wire.receive(self._stream, self._limits.answer, time.monotonic() + patience)
        except TimeoutError:
            self.stop(f"it took longer than {self._limits.seconds if patience == left else self._limits.cell_seconds} s and was stopped")
        except wire.Closed:
            self.stop("the process of the submission ended by itself (a crash, an exit, or too much memory)")
        except wire.WireError:  # its words hold numbers of the submission's choice
            self.stop("the submission's answer is not of the agreed form")
        except MemoryError:
            self.stop("the submission's answer is too large")
        if "broken" in answer:
            self.broken = str(answer["broken"])[:500]
            self.stop("the process of the submission broke down")
        return answer, parts

    def stop(self, why: str = "the submission is done") -> None:
        """End the process for good and raise `Ended`."""
        self.ended = self.ended or why
        self.close()
        raise Ended(self.ended)

    def close(self) -> None:
        """End the process and everything that it started."""
        self.ended = self.ended or "the submission is done"
        self._stream.close()
        self._sandbox.end(self._number)
        if self.lock is not None:
            self.lock.close()


def _free_core(number: int) -> tuple[int, socket.socket]:
    """A processor that no other submission on this machine runs on, if there is one, and the lock on it, to be closed at the end.

    The lock is the name of a socket that is no file: it is the same for all processes of this machine, and goes with its owner.
    """
    cores = sorted(os.sched_getaffinity(0))
    lock = socket.socket(socket.AF_UNIX)
    for core in cores:
        try:
            lock.bind(f"\0dlmia-grading-core-{core}")
            return core, lock
        except OSError:
            continue
    return cores[number % len(cores)], lock


class Sandbox:
    """A jailed fork server. Start it once, spawn a process for each submission; use it as a context manager.

    Args:
        modules: imported before the first fork.
        data: the folder of data sets, readable in the jail.

    Raises:
        JailError: this machine can't jail, or the server did not start.
    """

    def __init__(self, modules: list[str], data: Path | None = None) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control, self._lock, self._count = ours, threading.Lock(), 0
        self._live: dict[int, Process] = {}
        line = command(theirs.fileno(), modules, data)
        self._errors = os.memfd_create("errors")
        said = {"stdin": subprocess.DEVNULL, "stdout": self._errors, "stderr": self._errors}
        self._server = subprocess.Popen(line, pass_fds=[theirs.fileno()], **said)
        theirs.close()
        self._ready = False

    def wait(self) -> "Sandbox":
        """Wait until the server has imported everything; `spawn` does it by itself.

        Raises:
            JailError: the server did not start.
        """
        if self._ready:
            return self
        self._control.settimeout(300)
        try:
            told = json.loads(self._control.recv(65536) or b"{}")
        except (TimeoutError, ConnectionError):
            told = {}
        if "ready" not in told:
            os.lseek(self._errors, 0, os.SEEK_SET)
            said = os.read(self._errors, 2000).decode(errors="replace").strip()
            self.close()
            raise JailError(f"The jail did not start, so nothing is graded. It said: {said or 'nothing'}")
        self.seconds, self.failed = told["ready"], told["failed"]
        self._own = memory.of_server(self._server.pid)
        self._watching, self._ready = threading.Event(), True
        threading.Thread(target=self._watch, daemon=True).start()
        self._try()
        return self

    def _try(self) -> None:
        """A first process of nobody's: where it can't be shut in, no submission is let in.

        Raises:
            JailError: it could not be made, or did not answer.
        """
        advice = "This machine can't jail submissions, so nothing is graded. Are user namespaces allowed here for ordinary programs? The jail said:"
        process = None
        try:
            process = self.spawn(Limits(seconds=60, cell_seconds=60))
            process.ask({"operation": "run", "source": "1 + 1", "seed": 0})
        except JailError as problem:
            self.close()
            raise JailError(f"{advice} {problem}") from None
        except Ended as problem:
            self.close()
            raise JailError(f"{advice} {process.broken or problem}") from None
        process.close()

    def _order(self, order: dict, hand: list[int] = ()) -> dict:
        try:
            with self._lock:
                socket.send_fds(self._control, [json.dumps(order).encode()], hand)
                return json.loads(self._control.recv(65536))
        except (OSError, ValueError):
            return {"problem": "the fork server is gone"}

    def spawn(self, limits: Limits = Limits(), deadline: float | None = None) -> Process:
        """A new process for one submission, in namespaces of its own.

        Args:
            limits: what it may use.
            deadline: on the monotonic clock, when its time is over; by default as the limits say, from now.

        Raises:
            JailError: it could not be made.
        """
        self.wait()
        ours, theirs = socket.socketpair()
        self._count += 1
        number = self._count
        core, lock = _free_core(number)
        answer = self._order({"order": "spawn", "id": number, "limits": {**asdict(limits), "core": core}}, [theirs.fileno()])
        theirs.close()
        if "problem" in answer:
            ours.close()
            lock.close()
            raise JailError(f"A process for the submission could not be made: {answer['problem']}")
        process = Process(self, number, ours, limits, deadline or time.monotonic() + limits.seconds)
        process.keeper, process.lock = answer["keeper"], lock
        self._live[number] = process
        return process

    def leave_others(self, mine: "Process") -> None:
        """In a fork of this process: let go of what belongs to other submissions, and of every lock on a processor."""
        for process in list(self._live.values()):
            process.lock.close()
            if process is not mine:
                process._stream.close()

    def end(self, number: int) -> None:
        """End one submission's process; nothing happens if it has ended."""
        if self._live.pop(number, None) is not None:
            self._order({"order": "end", "id": number})

    def _watch(self) -> None:
        while not self._watching.wait(0.25):
            live = list(self._live.values())
            used = memory.of_submissions(self._server.pid, [process.keeper for process in live]) if live else {}
            for process in live:
                if not process.ended and used.get(process.keeper, 0) > process._limits.memory + self._own:
                    process.ended = f"it used more than {process._limits.memory / 2**30:.1f} GB of memory and was stopped"
                    self.end(process._number)

    def alive(self) -> bool:
        """Whether the server still runs."""
        return self._server.poll() is None

    def close(self) -> None:
        """End the server and with it every process that it made."""
        if hasattr(self, "_watching"):
            self._watching.set()
        self._control.close()
        os.close(self._errors)
        try:
            self._server.wait(5)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

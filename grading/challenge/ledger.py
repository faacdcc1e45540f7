"""The ledger of attempts: lines are added, never changed, and each names the one before by its hash. Nothing is scored here."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from grading.sources import SourceError

NAME, FIRST = "ledger.jsonl", "the first line"


@dataclass(frozen=True)
class Entry:
    """One file that was looked at.

    Attributes:
        time: when, with its zone; student: in whose folder it lay; file: its name; digest: SHA-256 of its bytes.
        status: "scored", "malformed", "spent" (no attempts left) or "late"; said: the sentence for the team.
        shown: the score on the leaderboard after it, in steps; rose: whether this file raised it; low, high: its interval, in steps.
    """

    time: str
    student: str
    file: str
    digest: str
    status: str
    said: str = ""
    shown: float | None = None
    rose: bool = False
    low: float | None = None
    high: float | None = None

    @property
    def moment(self) -> datetime:
        """`time` as a point in time."""
        return datetime.fromisoformat(self.time)


def read(folder: Path) -> list[Entry]:
    """All entries, in order. A last line that was cut by a crash is no entry yet.

    Raises:
        SourceError: a line was changed, removed or put in.
    """
    return [entry for entry, _ in _lines(folder / NAME)]


@contextmanager
def opened(folder: Path) -> Iterator["Ledger"]:
    """The ledger for one writer at a time.

    Raises:
        SourceError: another process writes it, or a line was changed.
    """
    try:
        import fcntl  # the only place that locks; reading works on every system
    except ImportError:
        raise SourceError("The challenge is scored on Linux or macOS: this system has no locks on files. Use WSL 2.") from None
    lock = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SourceError(f"Another process scores {folder} just now: wait until it is done.") from None
        yield Ledger(folder / NAME)
    finally:
        os.close(lock)


class Ledger:
    """An open ledger; `entries` are those that stand in it."""

    def __init__(self, path: Path) -> None:
        lines = _lines(path)
        self.path, self.entries = path, [entry for entry, _ in lines]
        self._before = _digest(lines[-1][1]) if lines else FIRST
        whole = sum(len(line) + 1 for _, line in lines)
        if path.is_file() and path.stat().st_size > whole:
            os.truncate(path, whole)  # what a crash left of a line that nobody was told of

    def append(self, entry: Entry) -> None:
        """Add one line, in one write, and wait until it is on the disk."""
        line = json.dumps({**asdict(entry), "before": self._before}, ensure_ascii=True).encode()
        handle = os.open(self.path, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)
        try:
            os.write(handle, line + b"\n")
            os.fsync(handle)
        finally:
            os.close(handle)
        self.entries.append(entry)
        self._before = _digest(line)


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def _lines(path: Path) -> list[tuple[Entry, bytes]]:
    if not path.is_file():
        return []
    found, before = [], FIRST
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], start=1):
        try:
            row = json.loads(line)
            told = row.pop("before")
            entry = Entry(**row)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise SourceError(f"{path}, line {number} is no entry: put back the ledger from a copy.") from None
        if told != before:
            raise SourceError(f"{path}, line {number} does not follow the line before it: a line was changed or removed. Put back a copy.")
        found.append((entry, line))
        before = _digest(line)
    return found

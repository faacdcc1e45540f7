"""What a lecture gives to its checks in cells tagged "given", as the judge uses it: in its own process, out of the students' reach.

A given function that calls the student's code by its name can only run beside that code; so can one that takes an object of the student's
and differentiates. What such a function returns is the student's word: it should return what was computed, and the check should judge it.
All others run here. An object that one of them makes (a model, an optimizer) is the check's own; when the check passes it to the student's
code, the same call makes its twin there, and the twin's weights come back only after a call that is marked `# in place`.
"""

import ast
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np

from grading.marking.remote import Channel, NotData, Remote
from grading.names import defined, needed

_DIFFERENTIATES = {"backward", "autograd", "requires_grad", "requires_grad_", "grad", "vjp", "jvp", "jacrev", "jacfwd"}


class Given:
    """The given cells of one lecture, sorted by where their parts can run.

    Args:
        cells: their texts, in order.
        known: names of the set-up.

    Attributes:
        text: all of it, to be run beside the student's code.
        here: the parts that run in the judge.
        names: what they define; beside: of these, what can only run beside the student's code.
        differentiates: of these, what runs beside it as soon as it gets something of the student's.
    """

    def __init__(self, cells: list[str], known: set[str]) -> None:
        self.text = "\n".join(cells)
        parts = [_Part(ast.unparse(part)) for part in ast.parse(self.text).body]
        self.names: set[str] = set().union(*(part.binds for part in parts))
        self.beside: set[str] = set()
        while away := [part for part in parts if part.reads - known - (self.names - self.beside)]:
            more = set().union(*(part.binds for part in away)) - self.beside
            if not more:
                break
            self.beside |= more
        self.here = "\n".join(part.text for part in parts if part not in away and not part.binds & self.beside)
        self.differentiates = {name for part in parts if part.words & _DIFFERENTIATES for name in part.binds}


class _Part:
    """One statement of a given cell: its text, the names it reads and binds, and the attributes and keywords it uses."""

    def __init__(self, text: str) -> None:
        self.text, self.reads, self.binds = text, needed(text), defined(text)
        used = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute | ast.keyword)]
        self.words = {node.attr if isinstance(node, ast.Attribute) else node.arg for node in used}


class Twins:
    """The names that a check reads; and the objects that given functions made for it here, with how each is made in the student's process.

    Args:
        given: the lecture's given cells.
        set_up: the namespace of the pristine set-up cell, run in this process; it is not changed.
        channel: to the student's process.
        wanted: whether any check reads what of the given cells can run here.
    """

    def __init__(self, given: Given, set_up: dict[str, Any], channel: Channel, wanted: bool = True) -> None:
        self._given, self._set_up, self._channel = given, set_up, channel
        self._trusted = dict(set_up)
        exec(compile(given.here if wanted else "", "<given>", "exec"), self._trusted)
        self._made: dict[int, tuple[Any, Callable[[], Any], tuple]] = {}
        self._beside: dict[str, Remote] = {}
        channel.pass_on = self._twin

    def namespace(self, source: str) -> dict[str, Any]:
        """All that a check may use: the set-up's names, the given ones, and the student's."""
        read = needed(source) - set(self._set_up)
        theirs = sorted(read - self._given.names)
        return {**self._set_up, **self._names(read & self._given.names), **self._channel.names(theirs)}

    def _names(self, names: set[str]) -> dict[str, Any]:
        """Given names: functions that know where to run, anything else as it is in the judge."""
        self._beside = {}  # the student's names may have changed since the last check
        found: dict[str, Any] = {}
        for name in names:
            value = self._trusted.get(name)
            found[name] = self._remote(name) if name in self._given.beside else _copy(value, apart=True)
            if isinstance(value, FunctionType) and value.__module__ == "__main__":
                found[name] = self._function(name, value)
        return found

    def _remote(self, name: str) -> Remote:
        if name not in self._beside:
            self._beside |= self._channel.given(self._given.text, [name])
        return self._beside[name]

    def _function(self, name: str, function: Callable) -> Callable:
        def run(*args: Any, **kwargs: Any) -> Any:
            if name in self._given.differentiates and any(isinstance(item, Remote) for item in [*args, *kwargs.values()]):
                return self._remote(name)(*args, **kwargs)
            first, more = _copy(list(args)), _copy(kwargs)
            there = cache(lambda: self._remote(name)(*first, **more))
            with _seeded(self._channel.number()):
                value = _copy(function(*args, **kwargs), apart=True)
            self._remember(value, there, ())
            return value

        return run

    def _remember(self, value: Any, there: Callable[[], Any], path: tuple) -> None:
        if isinstance(value, (list, tuple, dict)):
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                self._remember(item, there, (*path, key))
        elif not _is_plain(value) and not isinstance(value, Remote):
            self._made[id(value)] = (value, there, path)

    def _twin(self, value: Any) -> Remote | None:
        if id(value) not in self._made:
            return None
        _, there, path = self._made[id(value)]
        found = there()
        for step in path:
            found = found[step]
        if not isinstance(found, Remote):
            raise NotData("what the course gives to your code was replaced by something else")
        return found


def _is_plain(value: Any) -> bool:
    torch = sys.modules.get("torch")
    plain = (type(None), bool, int, float, complex, str, bytes, bytearray, slice, set, frozenset, np.ndarray, np.generic)
    return isinstance(value, plain) or (torch is not None and isinstance(value, torch.Tensor))


def _copy(value: Any, apart: bool = False) -> Any:
    """Arguments as they are now; objects that are not plain data stay the same objects.

    Args:
        value: anything.
        apart: it is what the course gives to a check, whose next call may change it: weights and tensors on a graph stay what they are.
    """
    if isinstance(value, (list, tuple)):
        return type(value)(_copy(item, apart) for item in value) if type(value) in (list, tuple) else value
    if isinstance(value, dict):
        return {key: _copy(item, apart) for key, item in value.items()}
    if hasattr(value, "detach"):
        return value if apart and (value.requires_grad or not value.is_leaf or type(value).__name__ == "Parameter") else value.detach().clone()
    return value.copy() if isinstance(value, np.ndarray) else value


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Generators start as they do in the student's process, and go on afterwards as if nothing had been drawn."""
    torch = sys.modules.get("torch")
    kept = random.getstate(), np.random.get_state(), torch.get_rng_state() if torch else None  # noqa: NPY002 - given code may draw from it
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    if torch:
        torch.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])  # noqa: NPY002
        if torch:
            torch.set_rng_state(kept[2])

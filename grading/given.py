"""What a lecture gives to its checks in cells tagged "given", as the judge uses it: in its own process, out of the students' reach.

A given function that calls the student's code by its name can only run beside that code; so can one that takes an object of the student's
and differentiates. What such a function returns is the student's word: it should return what was computed, and the check should judge it.
All others run here. An object that one of them makes (a model, an optimizer) is the check's own; when the check passes it to the student's
code, the same call makes its twin there, and the twin's weights come back only after a call that is marked `# in place`.
"""

import ast
import random
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from grading.names import BUILTINS, defined, needed
from grading.remote import Channel, NotData, Remote
from grading.sandbox.wire import WireError, encode

_DIFFERENTIATES = {"backward", "autograd", "requires_grad", "requires_grad_", "grad", "vjp", "jvp", "jacrev", "jacfwd", "jacobian", "hessian"}


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
        parts = [ast.unparse(part) for part in ast.parse(self.text).body]
        reads = [needed(part) for part in parts]
        binds = [defined(part) for part in parts]
        self.names: set[str] = set().union(*binds)
        self.beside: set[str] = set()
        while True:
            reach = known | BUILTINS | (self.names - self.beside)
            more = set().union(*(bound for read, bound in zip(reads, binds, strict=True) if read - reach)) - self.beside
            if not more:
                break
            self.beside |= more
        self.here = "\n".join(part for part, bound in zip(parts, binds, strict=True) if not bound & self.beside)
        self.differentiates = {name for part, bound in zip(parts, binds, strict=True) if _words(part) & _DIFFERENTIATES for name in bound}


def _words(source: str) -> set[str]:
    nodes = list(ast.walk(ast.parse(source)))
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return attributes | {node.arg for node in nodes if isinstance(node, ast.keyword) and node.arg}


class Twins:
    """Objects that given functions made in the judge, and how each is made in the student's process when it is needed there.

    Args:
        given: the lecture's given cells.
        trusted: the judge's namespace, in which their parts that run here are defined.
        channel: to the student's process.
    """

    def __init__(self, given: Given, trusted: dict[str, Any], channel: Channel) -> None:
        self._given, self._trusted, self._channel = given, trusted, channel
        self._made: dict[int, tuple[Any, _Recipe, tuple]] = {}
        self._beside: dict[str, Remote] = {}
        channel.pass_on = self._twin

    def namespace(self, names: set[str]) -> dict[str, Any]:
        """What a check gets for these given names: functions that know where to run, and constants of the judge's own."""
        self._beside = {}  # the student's names may have changed since the last check
        found: dict[str, Any] = {}
        for name in names:
            if name in self._given.beside:
                found[name] = self._remote(name)
            else:
                value = self._trusted[name]
                found[name] = self._function(name, value) if callable(value) and name not in sys.modules else value
        return found

    def _remote(self, name: str) -> Remote:
        if name not in self._beside:
            self._beside |= self._channel.given(self._given.text, [name])
        return self._beside[name]

    def _function(self, name: str, function: Callable) -> Callable:
        def run(*args: Any, **kwargs: Any) -> Any:
            theirs = any(isinstance(item, Remote) for item in _inside([args, kwargs]))
            if theirs and name in self._given.differentiates:
                return self._remote(name)(*args, **kwargs)
            recipe = _Recipe(lambda: self._remote(name), args, kwargs, self._channel)
            with _Seeded(self._channel.number()):
                value = function(*args, **kwargs)
            self._remember(value, recipe, ())
            return value

        return run

    def _remember(self, value: Any, recipe: "_Recipe", path: tuple) -> None:
        if isinstance(value, (list, tuple)):
            for number, item in enumerate(value):
                self._remember(item, recipe, (*path, number))
        elif isinstance(value, dict):
            for key, item in value.items():
                self._remember(item, recipe, (*path, key))
        elif not _plain(value):
            self._made[id(value)] = (value, recipe, path)

    def _twin(self, value: Any) -> Remote | None:
        if id(value) not in self._made:
            return None
        _, recipe, path = self._made[id(value)]
        there = recipe.carry_out()
        for step in path:
            there = there[step]
        if not isinstance(there, Remote):
            raise NotData("what the course gives to your code was replaced by something else")
        return there


class _Recipe:
    """A call of a given function, as it was when it was made here, to be made in the student's process as well: once, when it is wanted."""

    def __init__(self, function: Callable[[], Remote], args: tuple, kwargs: dict, channel: Channel) -> None:
        self._function, self._args, self._kwargs, self._channel = function, args, kwargs, channel
        self._blobs: list[bytes] = []
        try:
            self._tree = encode([list(args), kwargs], self._blobs, lambda value: {"later": self._later(value)})
        except WireError:
            self._tree = None
        self._there: Any = None

    def _later(self, value: Any) -> None:
        if isinstance(value, Remote) or self._channel.knows(value):
            return None
        raise WireError("not plain data")

    def carry_out(self) -> Any:
        """The result in the student's process, as the judge sees it."""
        if self._there is None:
            self._there = self._function()(*self._args, **self._kwargs)
        return self._there

"""The process that runs a student's cells and answers calls, inside the jail. It decides no point and nobody trusts it.

It speaks `wire` on one socket. Operations: `run` a cell, define what is `given`, tell what `names` are, `call` something, `read` an
attribute or item, tell the `state` of a model.
"""

import ast
import contextlib
import io
import linecache
import random
import sys
import traceback
from typing import Any

import cells
import numpy as np
import wire

TEXT = 20_000  # characters of output kept of one cell


class _Capped(io.StringIO):
    """Text output of bounded size; what is over is counted, not kept."""

    def __init__(self) -> None:
        super().__init__()
        self.over = 0

    def write(self, text: str) -> int:
        room = max(0, TEXT - self.tell())
        self.over += max(0, len(text) - room)
        return super().write(text[:room])

    def text(self) -> str:
        return self.getvalue() + (f"\n... {self.over} more characters are not shown" if self.over else "")


def reseed(seed: int) -> None:
    """Give every generator that is loaded the same start."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - students' code may draw from the global generator
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


class Student:
    """A notebook's namespace and the objects that calls have left behind."""

    def __init__(self) -> None:
        import types

        self.module = types.ModuleType("__main__")
        self.names = self.module.__dict__
        self.names["__builtins__"] = __builtins__
        self.names["display"] = lambda *_args, **_options: None
        self.names["get_ipython"] = cells.Shell
        sys.modules["__main__"] = self.module
        self.kept: dict[int, Any] = {}
        self.cells = 0

    # -- what crosses the channel -------------------------------------------------------------------------------------------

    def keep(self, value: Any) -> dict:
        """A reference to something that is not plain data."""
        number = len(self.kept) + 1
        if number > 10_000:
            raise wire.WireError("too many objects that are not plain data")
        self.kept[number] = value
        return {"object": number, "type": type(value).__name__[:80], "callable": callable(value)}

    def find(self, tree: dict) -> Any:
        """What a reference stands for."""
        if "object" in tree:
            return self.kept[tree["object"]]
        if tree["name"] not in self.names:
            raise NameError(f"name '{tree['name']}' is not defined")
        return self.names[tree["name"]]

    def answer(self, value: Any, changed: dict | None = None, **more: Any) -> tuple[dict, list[bytes]]:
        blobs: list[bytes] = []
        before = len(self.kept)
        try:
            tree = wire.encode(value, blobs, self.keep)
            return {"value": tree, "changed": {key: wire.encode(item, blobs) for key, item in (changed or {}).items()}, **more}, blobs
        except wire.WireError:
            for number in range(before + 1, len(self.kept) + 1):
                del self.kept[number]
            raise

    # -- operations ---------------------------------------------------------------------------------------------------------

    def run(self, message: dict) -> tuple[dict, list[bytes]]:
        """Run a cell; tell what it printed, the text of its last value, and its error."""
        reseed(message["seed"])
        self.cells += 1
        name = f"<cell {self.cells}>"
        out, error, shown = _Capped(), None, ""
        source = cells.plain(message["source"])
        linecache.cache[name] = (len(source), None, source.splitlines(True), name)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            try:
                tree = ast.parse(source, name)
                last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
                exec(compile(tree, name, "exec"), self.names)
                if last is not None:
                    value = eval(compile(ast.Expression(last.value), name, "eval"), self.names)
                    shown = "" if value is None else repr(value)[:TEXT]
            except BaseException as problem:
                error = self.describe(problem)
        return {"output": out.text(), "shown": shown, "error": error}, []

    def describe(self, problem: BaseException) -> dict:
        """An exception as text: its type, the built-in types that it is, its message and where it happened."""
        try:
            message = str(problem)[:2000]
        except BaseException:
            message = ""
        try:
            trace = "".join(traceback.format_exception(problem, limit=-6))[-4000:]
        except BaseException:
            trace = ""
        bases = [cls.__name__ for cls in type(problem).__mro__ if cls.__module__ == "builtins"]
        return {"type": type(problem).__name__[:80], "bases": bases, "message": message, "trace": trace}

    def names_are(self, message: dict) -> tuple[dict, list[bytes]]:
        """For each asked name: its value if it is plain data, a reference if it is not, nothing if it isn't defined."""
        return self.answer({name: self.names[name] for name in message["names"] if name in self.names})

    def given(self, message: dict) -> tuple[dict, list[bytes]]:
        """References to functions of the course that call the student's: defined apart, so that no name of the student's replaces them."""
        apart = dict(self.names)
        with contextlib.redirect_stdout(_Capped()), contextlib.redirect_stderr(_Capped()):
            exec(compile(message["source"], "<given>", "exec"), apart)
        return self.answer({name: apart[name] for name in message["names"]})

    def call(self, message: dict, blobs: list[bytes]) -> tuple[dict, list[bytes]]:
        """Call something. Arguments that it changed go back if `in_place`; otherwise only that there are any."""
        decode = wire.Decoder(blobs, self.find)
        arguments, options = decode(message["args"]), decode(message["kwargs"])
        places = {**{str(number): item for number, item in enumerate(arguments)}, **options}
        before = {key: wire.fingerprint(item) for key, item in places.items() if wire.mutable(item)}
        reseed(message["seed"])
        out = _Capped()
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
                value = self.find(message["target"])(*arguments, **options)
            changed = {key: places[key] for key, mark in before.items() if wire.fingerprint(places[key]) != mark}
            return self.answer(value, changed if message["in_place"] else None, touched=bool(changed), output=out.text())
        except wire.WireError as problem:
            return {"refused": str(problem), "output": out.text()}, []
        except BaseException as problem:
            return {"raised": self.describe(problem), "output": out.text()}, []

    def read(self, message: dict, blobs: list[bytes]) -> tuple[dict, list[bytes]]:
        """An attribute, an item, the length or the items of something that is not plain data."""
        target, what = self.find(message["target"]), message["what"]
        if what == "attribute":
            return self.answer(getattr(target, message["key"]))
        if what == "item":
            return self.answer(target[wire.Decoder(blobs, self.find)(message["key"])])
        return self.answer(len(target) if what == "length" else list(target))

    def state(self, message: dict) -> tuple[dict, list[bytes]]:
        """What a model or an optimizer holds that a call may have changed; nothing for other things."""
        target, found = self.find(message["target"]), {}
        if hasattr(target, "state_dict"):
            found["state"] = target.state_dict()
        if hasattr(target, "named_parameters"):
            found["training"] = bool(target.training)
            found["frozen"] = [name for name, parameter in target.named_parameters() if not parameter.requires_grad]
            found["gradients"] = {name: parameter.grad for name, parameter in target.named_parameters() if parameter.grad is not None}
        return self.answer(found)

    def operate(self, message: dict, blobs: list[bytes]) -> tuple[dict, list[bytes]]:
        """One operation; whatever goes wrong in it is an answer, too."""
        try:
            operation = message["operation"]
            if operation in ("call", "read"):
                return getattr(self, operation)(message, blobs)
            return {"run": self.run, "names": self.names_are, "given": self.given, "state": self.state}[operation](message)
        except wire.WireError as problem:
            return {"refused": str(problem)}, []
        except BaseException as problem:
            return {"raised": self.describe(problem)}, []

    def serve(self, stream: Any) -> None:
        """Answer until the other side closes the channel."""
        while True:
            try:
                message, blobs = wire.receive(stream)
                answer = self.operate(message, blobs)
                try:
                    wire.send(stream, *answer)
                except wire.Closed:
                    raise
                except wire.WireError as problem:
                    wire.send(stream, {"refused": str(problem)})
            except wire.Closed:
                return

"""A student's objects as the judge sees them: calls that go over the channel and come back as plain data, or as an opaque reference."""

import builtins
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from grading.sandbox import Process
from grading.sandbox.wire import Decoder, WireError, encode


class NotData(TypeError):
    """A check met something of the student's that is not plain data; the message says what to return instead."""


class Channel:
    """One student's process as seen from a check.

    Args:
        process: where the student's code runs.
        seed: of every generator before each call, mixed with the check's name.
    """

    def __init__(self, process: Process, seed: int = 0) -> None:
        self._process, self.seed, self.check = process, seed, ""
        self.printed: list[str] = []

    def _seed(self) -> int:
        return zlib.crc32(f"{self.seed} {self.check}".encode())

    def run(self, source: str, name: str) -> dict:
        """Run a cell of the student's notebook; returns its `output`, the text `shown` of its last value, and its `error` or None."""
        answer, _ = self._process.ask({"operation": "run", "source": source, "seed": zlib.crc32(f"{self.seed} {name}".encode())})
        return answer

    def names(self, names: list[str]) -> dict[str, Any]:
        """What the student's notebook defines of these names: plain data as they are, anything else as a reference by name."""
        found = {}
        for name in names:
            answer, blobs = self._process.ask({"operation": "names", "names": [name]})
            if "refused" in answer:
                raise NotData(f"your `{name}` can't be read: {answer['refused']}")
            value = Decoder(blobs, self._reference)(answer["value"])
            if not isinstance(value, dict):
                raise WireError("the answer is not of the agreed form")
            for key, item in value.items():
                found[key] = Remote(self, {"name": name}, item.kind) if isinstance(item, Remote) else item
        return found

    def _reference(self, tree: dict) -> "Remote":
        if type(tree.get("object")) is not int:
            raise WireError("an answer arrived that is not of the agreed form")
        return Remote(self, {"object": tree["object"]}, str(tree.get("type"))[:80])

    def _refer(self, value: Any) -> dict:
        if isinstance(value, Remote) and object.__getattribute__(value, "_channel") is self:
            return object.__getattribute__(value, "_where")
        raise WireError(f"a check passes a {type(value).__name__}, which is not plain data")

    def call(self, where: dict, args: tuple, kwargs: dict) -> Any:
        """Call something of the student's; arguments that it changed in place are changed here, too."""
        blobs: list[bytes] = []
        message = {
            "operation": "call", "target": where, "seed": self._seed(),
            "args": encode(list(args), blobs, self._refer), "kwargs": encode(kwargs, blobs, self._refer),
        }  # fmt: skip
        answer, parts = self._process.ask(message, blobs)
        self.printed.append(str(answer.get("output") or "")[:20_000])
        places = {**{str(number): item for number, item in enumerate(args)}, **kwargs}
        value, decode = self._result(answer, parts)
        changed = answer.get("changed")
        for key, tree in changed.items() if isinstance(changed, dict) else ():
            if key in places:
                _change(places[key], decode(tree))
        return value

    def read(self, where: dict, what: str, key: Any = None) -> Any:
        """Read an attribute, an item, the length or the items of something of the student's."""
        blobs: list[bytes] = []
        tree = key if what == "attribute" else encode(key, blobs, self._refer)
        return self._result(*self._process.ask({"operation": "read", "target": where, "what": what, "key": tree}, blobs))[0]

    def _result(self, answer: dict, blobs: list[bytes]) -> tuple[Any, Decoder]:
        if "raised" in answer:
            raise _exception(answer["raised"])
        if "refused" in answer:
            raise NotData(f"what your code returned can't be read: {str(answer['refused'])[:300]}")
        decode = Decoder(blobs, self._reference)
        return decode(answer.get("value")), decode


def _exception(told: Any) -> Exception:
    """The student's exception as the nearest built-in one, marked as theirs."""
    told = told if isinstance(told, dict) else {}
    bases = told.get("bases") if isinstance(told.get("bases"), list) else []
    kinds = (getattr(builtins, name, None) for name in bases if isinstance(name, str))
    kind = next((cls for cls in kinds if isinstance(cls, type) and issubclass(cls, Exception)), RuntimeError)
    message = str(told.get("message"))[:2000]
    try:
        made = kind(message)
    except TypeError:  # UnicodeDecodeError and the like want more than a message
        made = RuntimeError(message)
    made.theirs = {"type": str(told.get("type"))[:80], "message": message, "trace": str(told.get("trace"))[:4000]}
    return made


def _change(ours: Any, theirs: Any) -> None:
    """Make an argument what the call left it as, if it still is of the same kind."""
    if isinstance(ours, np.ndarray) and isinstance(theirs, np.ndarray) and ours.shape == theirs.shape and ours.dtype == theirs.dtype:
        if ours.flags.writeable:
            ours[...] = theirs
    elif type(ours) is list and type(theirs) is list:
        ours[:] = theirs
    elif type(ours) is dict and type(theirs) is dict:
        ours.clear()
        ours.update(theirs)
    elif hasattr(ours, "detach") and hasattr(theirs, "detach") and ours.shape == theirs.shape and ours.dtype == theirs.dtype:
        ours.data.copy_(theirs.detach())


class Remote:
    """A reference to something in the student's process that is not plain data. It may be called, read and passed back; nothing else."""

    __slots__ = ("_channel", "_where", "kind")
    __hash__ = None

    def __init__(self, channel: Channel, where: dict, kind: str) -> None:
        for name, value in (("_channel", channel), ("_where", where), ("kind", kind)):
            object.__setattr__(self, name, value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return object.__getattribute__(self, "_channel").call(object.__getattribute__(self, "_where"), args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):  # what Python or NumPy asks of any object is not asked of the student's
            raise AttributeError(name)
        return object.__getattribute__(self, "_channel").read(object.__getattribute__(self, "_where"), "attribute", name)

    def __setattr__(self, name: str, value: Any) -> None:
        raise NotData(f"a check can't set `{name}` in the student's process")

    def __getitem__(self, key: Any) -> Any:
        return object.__getattribute__(self, "_channel").read(object.__getattribute__(self, "_where"), "item", key)

    def __len__(self) -> int:
        value = object.__getattribute__(self, "_channel").read(object.__getattribute__(self, "_where"), "length")
        if type(value) is not int or not 0 <= value < 2**31:
            raise NotData("its length is not a number")
        return value

    def __iter__(self) -> Iterator[Any]:
        items = object.__getattribute__(self, "_channel").read(object.__getattribute__(self, "_where"), "items")
        return iter(items if isinstance(items, list) else [])

    def __repr__(self) -> str:
        return f"<your {self.kind}>"

    def _not_data(self, *_: Any) -> Any:
        raise NotData(f"a {self.kind} was returned where a number, text, list or array is expected")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __float__ = __int__ = __index__ = __array__ = _not_data
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __neg__ = __abs__ = __contains__ = _not_data

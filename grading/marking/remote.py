"""A student's objects as the judge sees them: calls that go over the channel and come back as plain data, or as an opaque reference.

What a call does to its arguments stays in the student's process, unless the judge asks for it: a student who overwrites an input must not
thereby overwrite what a check compares with.
"""

import builtins
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from grading.sandbox import Ended, Process
from grading.sandbox.wire import Decoder, WireError, encode
from grading.text import clean

FLOOD = "its answer is not of the agreed form"


class NotData(BaseException):
    """A check met something of the student's that is not plain data; the message says what to return instead.

    Not an `Exception`: a check that waits for an error must not take it for the student's.
    """


class Channel:
    """One student's process as seen from a check.

    Args:
        process: where the student's code runs.
        seed: of every generator before each call, mixed with the check's name.

    Attributes:
        check: name of the check that runs.
        in_place: whether the call that is being made wants its arguments back as the call leaves them.
        as_left: every call wants its data back as the call leaves them, models excepted.
        touched: a call changed data that it did not give back.
        pass_on: what to send for an object that is no plain data; see `grading.marking.given`.
        printed: what the student's code printed.
    """

    def __init__(self, process: Process, seed: int = 0) -> None:
        self._process, self.seed, self.check = process, seed, ""
        self.in_place: Callable[[], bool] = lambda: False
        self.as_left = self.touched = False
        self.pass_on: Callable[[Any], Remote | None] = lambda _value: None
        self.printed: list[str] = []

    @property
    def ended(self) -> str:
        """Why the student's process is gone; empty while it runs."""
        return self._process.ended

    def number(self) -> int:
        """The seed of this check's calls."""
        return zlib.crc32(f"{self.seed} {self.check}".encode())

    def run(self, source: str, name: str) -> tuple[str, str]:
        """Run a cell of the student's notebook; returns what it printed and showed, and its error, empty if there was none."""
        answer, _ = self._process.ask({"operation": "run", "source": source, "seed": zlib.crc32(f"{self.seed} {name}".encode())})
        error = answer.get("error")
        told = f"{clean(error.get('type'), 80)}: {clean(error.get('message'), 2000)}" if isinstance(error, dict) else ""
        return clean(answer.get("output") or "") + clean(answer.get("shown") or ""), told

    def names(self, names: list[str]) -> dict[str, Any]:
        """What the student's notebook defines of these names: plain data as they are, anything else as a reference by name."""
        found = {}
        for name in names:
            value = self._ask({"operation": "names", "names": [name]})
            if type(value) is not dict or not value.keys() <= {name}:
                raise NotData(FLOOD)
            found |= {key: Remote(self, {"name": name}, item.kind) if isinstance(item, Remote) else item for key, item in value.items()}
        return found

    def given(self, source: str, names: list[str]) -> dict[str, "Remote"]:
        """References to the course's own functions in the student's process, defined there anew."""
        value = self._ask({"operation": "given", "source": source, "names": names})
        if type(value) is not dict or value.keys() != set(names) or not all(isinstance(item, Remote) for item in value.values()):
            raise NotData(FLOOD)
        return value

    def call(self, where: dict, args: tuple, kwargs: dict) -> Any:
        """Call something of the student's."""
        blobs: list[bytes] = []
        asked = self.in_place()
        message = {"operation": "call", "target": where, "seed": self.number(), "in_place": asked or self.as_left}
        message |= {"args": encode(list(args), blobs, self.refer), "kwargs": encode(kwargs, blobs, self.refer)}
        answer, parts = self._process.ask(message, blobs)
        self.printed.append(clean(answer.get("output") or ""))
        value, decode = self._result(answer, parts)
        if not message["in_place"]:
            self.touched = self.touched or answer.get("touched") is True
            return value
        changed = answer.get("changed")
        for key, item in {**{str(number): item for number, item in enumerate(args)}, **kwargs}.items():
            if isinstance(changed, dict) and key in changed:
                _change(item, decode(changed[key]))
            elif asked and (reference := self.pass_on(item)) is not None:
                _take_state(item, state_of(reference))
        return value

    def read(self, where: dict, what: str, key: Any = None) -> Any:
        """Read an attribute, an item, the length, the items or the state of something of the student's."""
        if what == "state":
            return self._ask({"operation": "state", "target": where})
        blobs: list[bytes] = []
        tree = key if what == "attribute" else encode(key, blobs, self.refer)
        return self._ask({"operation": "read", "target": where, "what": what, "key": tree}, blobs)

    def refer(self, value: Any) -> dict:
        """What stands for a value that is not plain data in a message to the student's process."""
        reference = value if isinstance(value, Remote) else self.pass_on(value)
        if reference is not None and object.__getattribute__(reference, "_channel") is self:
            return object.__getattribute__(reference, "_where")
        raise WireError(f"a check passes a {type(value).__name__}, which is not plain data")

    def _ask(self, message: dict, blobs: list[bytes] = ()) -> Any:
        return self._result(*self._process.ask(message, blobs))[0]

    def _reference(self, tree: dict) -> "Remote":
        if type(tree.get("object")) is not int:
            raise WireError(FLOOD)
        return Remote(self, {"object": tree["object"]}, clean(tree.get("type"), 80))

    def _result(self, answer: dict, blobs: list[bytes]) -> tuple[Any, Decoder]:
        if "raised" in answer:
            raise _exception(answer["raised"])
        if "refused" in answer:
            raise NotData(f"what your code returned can't be read: {clean(answer['refused'], 300)}")
        decode = Decoder(blobs, self._reference)
        try:
            return decode(answer.get("value")), decode
        except WireError as problem:
            raise NotData(str(problem)) from None


def _exception(told: Any) -> Exception:
    """The student's exception as the nearest built-in one, marked as theirs."""
    told = told if isinstance(told, dict) else {}
    bases = told.get("bases") if isinstance(told.get("bases"), list) else []
    kinds = (getattr(builtins, name, None) for name in bases if isinstance(name, str))
    kind = next((cls for cls in kinds if isinstance(cls, type) and issubclass(cls, Exception)), RuntimeError)
    message = clean(told.get("message"), 2000)
    try:
        if issubclass(kind, (StopIteration, StopAsyncIteration)):  # would end a loop of the check's and look like success
            raise TypeError
        made = kind(message)
    except TypeError:  # UnicodeDecodeError and the like want more than a message
        made = RuntimeError(message)
    made.theirs = {"type": clean(told.get("type"), 80), "message": message}
    return made


def _change(ours: Any, theirs: Any) -> None:
    """Make an argument what the call left it as.

    Raises:
        NotData: it is of another kind or shape now.
    """
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
    else:
        raise NotData(f"your code changed a {type(ours).__name__} that it was given into something of another kind or shape")


def _take_state(ours: Any, theirs: Any) -> None:
    """Make a model or an optimizer of the course's what a call left its twin in the student's process as.

    Raises:
        NotData: its layers are others now, or what came is no state.
    """
    torch = sys.modules.get("torch")
    theirs = theirs if type(theirs) is dict else {}
    try:
        if hasattr(ours, "load_state_dict"):
            ours.load_state_dict(theirs["state"])
        if torch is not None and isinstance(ours, torch.nn.Module):
            ours.train(theirs["training"] is True)
            for name, parameter in ours.named_parameters():
                parameter.requires_grad_(name not in theirs["frozen"])
                gradient = theirs["gradients"].get(name)
                parameter.grad = None if gradient is None else torch.as_tensor(gradient, dtype=parameter.dtype).reshape(parameter.shape)
    except Exception:
        raise NotData(f"your code made another one of the {type(ours).__name__} that it was given: train it, keep its layers") from None


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
        return _read(self, "attribute", name)

    def __setattr__(self, name: str, value: Any) -> None:
        raise NotData(f"a check can't set `{name}` in the student's process")

    def __getitem__(self, key: Any) -> Any:
        return _read(self, "item", key)

    def __len__(self) -> int:
        value = _read(self, "length")
        if type(value) is not int or not 0 <= value < 2**31:
            raise NotData("its length is not a number")
        return value

    def __iter__(self) -> Iterator[Any]:
        items = _read(self, "items")
        if type(items) is not list:
            raise NotData(FLOOD)
        return iter(items)

    def __repr__(self) -> str:
        return f"<your {self.kind}>"

    def _not_data(self, *_: Any) -> Any:
        raise NotData(f"a {self.kind} was returned where a number, text, list or array is expected")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __float__ = __int__ = __index__ = __complex__ = __array__ = _not_data
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __neg__ = __abs__ = __contains__ = _not_data
    __pow__ = __rpow__ = __matmul__ = __rmatmul__ = __mod__ = __rmod__ = __floordiv__ = __rfloordiv__ = __round__ = _not_data
    __reduce_ex__ = __invert__ = __and__ = __rand__ = __or__ = __ror__ = _not_data


def _read(remote: Remote, what: str, key: Any = None) -> Any:
    return object.__getattribute__(remote, "_channel").read(object.__getattribute__(remote, "_where"), what, key)


def state_of(remote: Remote) -> Any:
    """What a model or optimizer in the student's process holds, as plain data."""
    return _read(remote, "state")


__all__ = ["Channel", "Ended", "NotData", "Remote", "state_of"]

"""The narrow channel between the judge and a student's code: frames of plain data, strictly decoded. Never pickle, never a type of theirs.

A frame is a header (length of the JSON text, length of the blobs, 8 bytes each), the JSON text, and the blobs (arrays as `.npy`).
This file runs on both sides and imports nothing of the project; torch is used only where it is loaded already.
"""

import hashlib
import io
import json
import math
import struct
import sys
import time
from typing import Any

import numpy as np

LIMIT = 64 * 2**20  # bytes in one frame
TEXT = 8 * 2**20  # bytes of its JSON text: parsed JSON takes up to forty times as much memory
DEPTH = 40  # nesting of lists, tuples and dicts
ITEMS = 200_000  # values in one frame
KEYS = 10_000  # in one dict or set: keys may be chosen so that each takes as long to enter as all before it together
_HEAD = struct.Struct(">QQ")
_KINDS = "biufcSUMm"  # of array: numbers, text and times, nothing that holds Python objects
_DTYPES = {
    "bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64", "complex64", "complex128",
}  # fmt: skip


class WireError(Exception):
    """What came over the channel, or should go over it, is not plain data of a bounded size; the message says why in one sentence."""


class Closed(WireError):
    """The other side is gone."""


def send(stream: Any, message: dict, blobs: list[bytes] = (), limit: int = LIMIT) -> None:
    """Write one frame.

    Args:
        stream: a connected socket.
        message: JSON data; blobs: what its indices refer to.
        limit: bytes that the frame may have.

    Raises:
        WireError: the frame is too large. Closed: the other side is gone.
    """
    text = json.dumps({"message": message, "blobs": [len(blob) for blob in blobs]}).encode()
    body = b"".join(blobs)
    if len(text) > TEXT:
        raise WireError(f"{len(text) / 2**20:.0f} MB of numbers or text are too much for one answer; put many numbers into an array")
    if len(text) + len(body) > limit:
        raise WireError(f"{(len(text) + len(body)) / 2**20:.0f} MB are too much for one answer; the limit is {limit / 2**20:.0f} MB")
    try:
        stream.sendall(_HEAD.pack(len(text), len(body)) + text + body)
    except TimeoutError:
        raise
    except OSError as problem:
        raise Closed(str(problem)) from None


def _exactly(stream: Any, size: int, until: float | None) -> bytearray:
    data = bytearray()
    while len(data) < size:
        if until is not None:
            stream.settimeout(max(until - time.monotonic(), 0.001))  # at each part: a slow drip of bytes is over in time, too
        try:
            part = stream.recv(min(size - len(data), 2**20))
        except TimeoutError:
            raise
        except OSError as problem:
            raise Closed(str(problem)) from None
        if not part:
            raise Closed("the other side closed the channel")
        data += part
    return data


def receive(stream: Any, limit: int = LIMIT, until: float | None = None) -> tuple[dict, list[bytes]]:
    """Read one frame.

    Args:
        stream: a connected socket.
        limit: bytes that the frame may have.
        until: on the monotonic clock, when all of it must have arrived; None to wait for ever.

    Returns:
        The message and its blobs.

    Raises:
        WireError: not a frame, or too large. Closed: the other side is gone. TimeoutError: it did not arrive in time.
    """
    size, extra = _HEAD.unpack(_exactly(stream, _HEAD.size, until))
    if size > TEXT or size + extra > limit:
        raise WireError(f"a frame of {(size + extra) / 2**20:.0f} MB was announced; the limit is {limit / 2**20:.0f} MB")
    try:
        head = json.loads(_exactly(stream, size, until).decode())
        sizes, message = head["blobs"], head["message"]
        fits = type(sizes) is list and all(type(number) is int and number >= 0 for number in sizes) and sum(sizes) == extra
    except (ValueError, KeyError, TypeError, RecursionError):
        raise WireError("a frame arrived that is not of the agreed form") from None
    if not fits or type(message) is not dict:
        raise WireError("a frame arrived that is not of the agreed form")
    body, begin, blobs = bytes(_exactly(stream, extra, until)), 0, []
    for length in sizes:
        blobs.append(body[begin : begin + length])
        begin += length
    return message, blobs


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array) if array.ndim else array, allow_pickle=False)
    return buffer.getvalue()


def encode(value: Any, blobs: list[bytes], refer: Any = None, depth: int = 0) -> Any:
    """Plain data as JSON, arrays and bytes moved to `blobs`.

    Args:
        value: None, bool, number, str, bytes, list, tuple, dict, set, slice, NumPy array or number, torch tensor, nested at will.
        blobs: grows.
        refer: called with anything else; returns a JSON reference to it, or raises WireError. None refuses.

    Raises:
        WireError: something is not plain data, or is nested too deeply.
    """
    if depth > DEPTH:
        raise WireError(f"the data are nested more than {DEPTH} deep")

    def inner(item: Any) -> Any:
        return encode(item, blobs, refer, depth + 1)

    def blob(data: bytes) -> int:
        blobs.append(data)
        return len(blobs) - 1

    kind = type(value)
    if value is None or kind in (bool, str):
        return value
    if kind is int:
        return value if abs(value) < 2**53 else {"int": hex(value)}
    if kind is float:
        return value if math.isfinite(value) else {"float": repr(value)}
    if kind is complex:
        return {"complex": [inner(value.real), inner(value.imag)]}
    if kind in (bytes, bytearray):
        return {"bytes": blob(bytes(value))}
    if kind is slice:
        return {"slice": [inner(value.start), inner(value.stop), inner(value.step)]}
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        plain = value.detach().cpu()
        name = str(plain.dtype).removeprefix("torch.")
        if plain.dtype == torch.bfloat16:
            plain = plain.float()
        return {"tensor": blob(_npy(plain.resolve_conj().resolve_neg().numpy())), "dtype": name, "grad": bool(value.requires_grad)}
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(value)
        if array.dtype.hasobject or array.dtype.kind == "V":
            raise WireError("an array holds Python objects instead of numbers or text")
        return {"number" if isinstance(value, np.generic) else "array": blob(_npy(array))}
    for name, cls in (("list", list), ("tuple", tuple), ("set", (set, frozenset))):
        if isinstance(value, cls):
            return {name: [inner(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[inner(key), inner(item)] for key, item in value.items()]}
    for cls in (bool, int, float, str):  # sub-classes, enumerations among them, cross as what they are made of
        if isinstance(value, cls):
            return encode(cls.__str__(value) if cls is str else cls.__mul__(value, 1), blobs, refer, depth + 1)
    if refer is None:
        raise WireError(f"a {kind.__name__} is not plain data")
    return refer(value)


class Decoder:
    """Strict reading of what `encode` wrote; everything it returns is of a built-in, NumPy or torch type.

    Args:
        blobs: of the frame.
        resolve: called with a reference (a dict) that `refer` made; None refuses references.
    """

    def __init__(self, blobs: list[bytes], resolve: Any = None) -> None:
        self.blobs, self.resolve, self.items = blobs, resolve, 0

    def _array(self, index: Any) -> np.ndarray:
        data = self._bytes(index)
        stream = io.BytesIO(data)
        version = np.lib.format.read_magic(stream)
        header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, fortran, dtype = header(stream, max_header_size=10_000)
        size = math.prod(shape) * dtype.itemsize  # Python's integers: no header can make it overflow
        if dtype.kind not in _KINDS or dtype.itemsize == 0 or min(shape, default=0) < 0 or size != len(data) - stream.tell():
            raise WireError("an array arrived that is not of the agreed form")
        return np.frombuffer(data, dtype, offset=stream.tell()).reshape(shape, order="F" if fortran else "C").copy()

    def _bytes(self, index: Any) -> bytes:
        if type(index) is not int or not 0 <= index < len(self.blobs):
            raise WireError("a blob is missing")
        return self.blobs[index]

    def __call__(self, tree: Any, depth: int = 0) -> Any:
        """The value of a JSON tree.

        Raises:
            WireError: it is not what `encode` writes.
        """
        try:
            return self._decode(tree, depth)
        except WireError:
            raise
        except Exception as problem:  # whatever a hostile frame sets off is the frame's fault
            raise WireError(f"an answer arrived that can't be read ({type(problem).__name__})") from None

    def _decode(self, tree: Any, depth: int) -> Any:
        self.items += 1
        if depth > DEPTH or self.items > ITEMS:
            raise WireError("the answer is nested too deeply or holds too many parts")
        if tree is None or isinstance(tree, (bool, int, float, str)):
            return tree
        if not isinstance(tree, dict) or not tree:
            raise WireError("an answer arrived that is not of the agreed form")
        kind, body = next(iter(tree.items()))
        if kind in ("set", "dict") and len(body) > KEYS:
            raise WireError(f"a {kind} arrived that has more than {KEYS} entries")
        if kind in ("list", "tuple", "set"):
            return {"list": list, "tuple": tuple, "set": set}[kind]([self._decode(item, depth + 1) for item in body])
        if kind == "dict":
            return {self._decode(key, depth + 1): self._decode(item, depth + 1) for key, item in body}
        if kind == "array":
            return self._array(body)
        if kind == "number":
            return self._array(body)[()]
        if kind == "tensor":
            import torch

            if tree["dtype"] not in _DTYPES:
                raise WireError("a tensor of an unknown kind of number arrived")
            return torch.from_numpy(self._array(body)).to(getattr(torch, tree["dtype"])).requires_grad_(tree["grad"] is True)
        if kind == "bytes":
            return self._bytes(body)
        if kind == "int":
            if len(body) > 10_000:
                raise WireError("a number arrived that has too many digits")
            return int(body, 16)
        if kind == "float":
            return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[body]
        if kind in ("complex", "slice"):
            return {"complex": complex, "slice": slice}[kind](*(self._decode(item, depth + 1) for item in body))
        if self.resolve is None:
            raise WireError("an answer refers to something that is not data")
        return self.resolve(tree)


def mutable(value: Any) -> bool:
    """Whether a call could change this argument in a way that its caller would see."""
    torch = sys.modules.get("torch")
    return isinstance(value, (np.ndarray, list, dict)) or (torch is not None and isinstance(value, torch.Tensor))


def fingerprint(value: Any) -> bytes:
    """Bytes that differ when plain data differ; of no use for anything but comparing."""
    blobs: list[bytes] = []
    try:
        digest = hashlib.blake2b(json.dumps(encode(value, blobs, lambda item: {"object": id(item)}), sort_keys=True).encode())
    except WireError:
        return b""
    for blob in blobs:
        digest.update(blob)
    return digest.digest()

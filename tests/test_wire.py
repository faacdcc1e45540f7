"""The channel: what plain data survive it, and what hostile frames can't do."""

import enum
import io
import json
import math
import pickle
import socket
import struct
import threading
import time

import numpy as np
import pytest
import torch

from grading.sandbox import wire
from grading.sandbox.wire import Closed, Decoder, WireError, encode


def there_and_back(value):
    """A value as the other side gets it."""
    blobs = []
    tree = json.loads(json.dumps(encode(value, blobs)))
    return Decoder(blobs)(tree)


class Near(float):
    def __eq__(self, other):
        return True

    __hash__ = float.__hash__


class Task(enum.StrEnum):
    WHICH = "which"


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -7,
        2**80,
        1.5,
        math.inf,
        -math.inf,
        2 - 3j,
        "",
        "Größe \u202e 値",
        b"\x00\xff",
        [1, [2, ()]],
        (1,),
        {1, 2},
        {"a": {2: [None]}},
        slice(1, None, 2),
        {(1, 2): "key"},
    ],
)
def test_plain_data_survive(value):
    got = there_and_back(value)
    assert got == value and type(got) is type(value)


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6).reshape(2, 3),
        np.zeros((0, 3)),
        np.array(2.5),
        np.float32(1.5),
        np.int64(-3),
        np.bool_(True),
        np.array(["a", "bcd"]),
        np.array([1 + 2j]),
        np.arange(12.0).reshape(3, 4)[:, ::2],
        np.asfortranarray(np.eye(3)),
        np.array(["2020-01-01"], dtype="datetime64[D]"),
        np.array([True, False]),
    ],
)
def test_arrays_survive(value):
    got = there_and_back(value)
    assert type(got) is type(value) and got.dtype == value.dtype and got.shape == value.shape and np.array_equal(got, value)


@pytest.mark.parametrize("kind", ["float32", "float64", "bfloat16", "float16", "int64", "uint8", "bool", "complex64"])
def test_tensors_survive(kind):
    value = torch.ones(2, 3).to(getattr(torch, kind))
    got = there_and_back(value)
    assert type(got) is torch.Tensor and got.dtype == value.dtype and torch.equal(got, value) and not got.requires_grad
    assert there_and_back(torch.ones(2, requires_grad=True)).requires_grad


def test_nan_survives():
    assert math.isnan(there_and_back(math.nan)) and np.isnan(there_and_back(np.array([np.nan, 1.0]))[0])


def test_subclasses_cross_as_what_they_are_made_of():
    assert type(there_and_back(Near(2.0))) is float and there_and_back(Near(2.0)) == 2.0 and there_and_back(Near(2.0)) != 3.0
    assert type(there_and_back(Task.WHICH)) is str and there_and_back(Task.WHICH) == "which"
    assert type(there_and_back(np.zeros(2).view(type("Sub", (np.ndarray,), {})))) is np.ndarray
    assert type(there_and_back(torch.nn.Parameter(torch.ones(2)))) is torch.Tensor


@pytest.mark.parametrize("value", [object(), len, np.array([object()]), np.zeros(2, dtype=[("a", "f8")]), torch.nn.Linear(1, 1), Exception("x")])
def test_anything_else_is_refused(value):
    with pytest.raises(WireError):
        there_and_back([value])


def test_an_array_that_comes_back_can_be_changed():
    got = there_and_back(np.zeros(3))
    got[0] = 1
    assert got[0] == 1


def test_endless_nesting_is_refused():
    deep = []
    deep.append(deep)
    with pytest.raises(WireError, match="nested"):
        there_and_back(deep)


def npy(header, data=b""):
    """A blob with a header of one's own."""
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


OBJECTS = io.BytesIO()
np.save(OBJECTS, np.array([object], dtype=object), allow_pickle=True)


@pytest.mark.parametrize(
    "blob",
    [
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000, 1000000), }"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296), }"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 8), }", bytes(64)),
        npy("{'descr': '|V0', 'fortran_order': False, 'shape': (1000000000000,), }"),
        npy("{'descr': '|S0', 'fortran_order': False, 'shape': (1000000000000,), }"),
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", pickle.dumps(print)),
        npy("{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (1,), }", bytes(8)),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }", bytes(9)),
        npy("__import__('os').system('touch planted')"),
        b"\x93NUMPY\x09\x00",
        b"",
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff",
        OBJECTS.getvalue(),
        pickle.dumps(np.ones(3)),
    ],
)
def test_hostile_arrays_are_refused(blob, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for tree in ({"array": 0}, {"number": 0}, {"tensor": 0, "dtype": "float64", "grad": False}):
        with pytest.raises(WireError):
            Decoder([blob])(tree)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "tree",
    [
        [1],
        {},
        {"array": "0"},
        {"array": True},
        {"array": 5},
        {"array": -1},
        {"bytes": 0.0},
        {"int": "x"},
        {"int": "f" * 20_000},
        {"float": "1.5"},
        {"float": []},
        {"list": 3},
        {"dict": [[1]]},
        {"dict": [[{"list": []}, 1]]},
        {"set": [{"dict": []}]},
        {"complex": [1, 2, 3]},
        {"complex": ["a", "b"]},
        {"slice": []},
        {"object": 1},
        {"name": "x"},
        {"tensor": 0, "dtype": "load", "grad": 0},
        {"tensor": 0, "dtype": "__class__"},
        {"tensor": 0},
        {"list": [{"list": []}] * (wire.ITEMS + 1)},
        {"set": [{"int": hex(n * (2**61 - 1))} for n in range(wire.KEYS + 1)]},
        {"dict": [[n, n] for n in range(wire.KEYS + 1)]},
    ],
)
def test_hostile_trees_are_refused(tree):
    with pytest.raises(WireError):
        Decoder([npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }", bytes(8))])(tree)


def test_keys_that_collide_take_bounded_time():
    same = {"set": [{"int": hex(n * (2**61 - 1))} for n in range(1, 3000)]}
    begin = time.perf_counter()
    Decoder([])(same)
    assert time.perf_counter() - begin < 5


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def test_a_frame_survives(pair):
    wire.send(pair[0], {"a": 1}, [b"xy", b""])
    assert wire.receive(pair[1]) == ({"a": 1}, [b"xy", b""])


def frame(text, body=b"", announced=None):
    """Bytes of a frame, right or wrong."""
    return struct.pack(">QQ", len(text), len(body) if announced is None else announced) + text + body


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">QQ", 2**60, 0),
        struct.pack(">QQ", 0, 2**60),
        struct.pack(">QQ", wire.TEXT + 1, 0),
        frame(b"no json"),
        frame(b"\xff\xfe"),
        frame(b"[]"),
        frame(b"{}"),
        frame(b'{"message": 1, "blobs": []}'),
        frame(b'{"message": {}, "blobs": 3}'),
        frame(b'{"message": {}, "blobs": [1]}'),
        frame(b'{"message": {}, "blobs": [-1, 1]}'),
        frame(b'{"message": {}, "blobs": [1e400]}'),
        frame(b'{"message": {}, "blobs": [true]}', b"x"),
        frame(b'{"message": {}, "blobs": ["1"]}', b"x"),
        frame(b"[" * 100_000),
        frame(b'{"message": {}, "blobs": [' + b"9" * 5000 + b"]}"),
    ],
)
def test_hostile_frames_are_refused(pair, data):
    threading.Thread(target=pair[1].sendall, args=[data], daemon=True).start()
    with pytest.raises(WireError):
        wire.receive(pair[0], until=time.monotonic() + 5)


def test_a_drip_of_bytes_is_over_in_time(pair):
    def drip():
        for byte in frame(b" " * 1000):
            try:
                pair[1].sendall(bytes([byte]))
            except OSError:
                return
            time.sleep(0.02)

    threading.Thread(target=drip, daemon=True).start()
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        wire.receive(pair[0], until=begin + 0.3)
    assert time.monotonic() - begin < 2


def test_a_closed_channel_is_told_apart(pair):
    pair[1].close()
    with pytest.raises(Closed):
        wire.receive(pair[0])


def test_too_much_is_refused_before_it_is_sent(pair):
    with pytest.raises(WireError, match="too much"):
        wire.send(pair[0], {}, [bytes(2000)], limit=1000)
    with pytest.raises(WireError, match="array"):
        wire.send(pair[0], {"a": "x" * (wire.TEXT + 1)})

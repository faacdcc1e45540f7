# aims at: denial
# cell: rescale
# Writes frames that are no frames: broken JSON, wrong counts, deep nesting, arrays with headers that promise terabytes.
import json
import os
import struct


def _frame(message, blobs, sizes=None):
    text = message if isinstance(message, bytes) else json.dumps({"message": message, "blobs": sizes or [len(blob) for blob in blobs]}).encode()
    return struct.pack(">QQ", len(text), sum(map(len, blobs))) + text + b"".join(blobs)


BOMB = b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000, 1000000), }".ljust(117) + b"\n"
FRAMES = [
    _frame({"value": {"array": 0}, "changed": {}, "output": ""}, [BOMB]),
    _frame({"value": {"tensor": 0, "dtype": "__class__", "grad": 1}, "output": 3}, [BOMB]),
    _frame(b"[" * 100_000, []),
    _frame({"value": [[]]}, [], [-1, 1]),
    _frame({"value": 1}, [], [1e308 * 10]),
]
CALLS = []


def rescale(image):
    CALLS.append(1)
    for number in range(3, 128):
        try:
            os.write(number, FRAMES[len(CALLS) % len(FRAMES)])
        except OSError:
            pass
    return image

# aims at: denial
# cell: rescale
# rest: right
# Prints without end into everything: a gigabyte of text, a giant representation, a giant error.
import os
import sys


class Giant:
    def __repr__(self):
        return "x" * 100_000_000


def rescale(image):
    for _ in range(300):
        print("flood " * 100_000)
        sys.stderr.write("flood\n" * 100_000)
    for number in (0, 1, 2):
        try:
            os.write(number, b"x" * 10_000_000)
        except OSError:
            pass
    raise ValueError("x" * 200_000_000)


Giant()

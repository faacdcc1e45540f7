# aims at: secrets
# cell: middle
# Keeps what it is called with, in memory and in files, and lets cells and visible checks that come later print it.
import os

SEEN = []


def middle(values):
    SEEN.append(list(values))
    with open("/tmp/seen", "a") as file:
        file.write(repr(values))
    return 2.0


# --- cell: counter
print(SEEN, open("/tmp/seen").read() if os.path.exists("/tmp/seen") else "")


class Counter:
    def __init__(self):
        print(SEEN)
        raise RuntimeError(repr(SEEN))


SEEN

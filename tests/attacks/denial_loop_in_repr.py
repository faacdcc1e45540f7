# aims at: denial
# cell: rescale
# Showing, deleting and leaving never end.
import atexit
import time


class Endless:
    def __repr__(self):
        time.sleep(3600)

    __str__ = __del__ = __len__ = __repr__


def rescale(image):
    raise ValueError(Endless())


atexit.register(time.sleep, 3600)
Endless()

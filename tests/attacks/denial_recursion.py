# aims at: denial
# cell: rescale
# Recursion as deep as the stack, and deeper.
import sys

sys.setrecursionlimit(2**31 - 1)


def rescale(image):
    return rescale([image])

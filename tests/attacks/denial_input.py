# aims at: denial
# cell: rescale
# rest: right
# Waits for somebody to type.
import sys


def rescale(image):
    sys.stdin.read()
    return input("your name? ")

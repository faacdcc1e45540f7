# aims at: denial
# cell: rescale
# Waits for somebody to type.
import sys


def rescale(image):
    sys.stdin.read()
    return input("your name? ")

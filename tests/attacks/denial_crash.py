# aims at: denial
# cell: rescale
# rest: right
# Crashes the interpreter by reading at address 0.
import ctypes


def rescale(image):
    return ctypes.string_at(0)

# aims at: denial
# cell: rescale
# rest: right
# Asks for all memory at once. The error can be caught, and the rest is graded.
import numpy as np


def rescale(image):
    return np.ones(2**36)

# aims at: denial
# cell: rescale
# Returns more than the channel takes.
import numpy as np


def rescale(image):
    return np.zeros(2**27, np.uint8)

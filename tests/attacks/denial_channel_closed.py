# aims at: denial
# cell: rescale
# Closes everything that is open, the channel too.
import os


def rescale(image):
    os.closerange(0, 4096)
    return image

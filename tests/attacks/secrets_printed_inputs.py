# aims at: secrets
# cell: middle
# Prints what it is called with, on every stream there is.
import os
import sys


def middle(values):
    text = f"called with {list(values)!r}\n"
    print(text, file=sys.stdout)
    print(text, file=sys.stderr)
    sys.__stdout__.write(text)
    for number in range(12):
        try:
            os.write(number, text.encode())
        except OSError:
            pass
    return 2.0

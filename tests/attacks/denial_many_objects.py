# aims at: denial
# cell: rescale
# rest: right
# Returns more objects than the channel keeps, and one that claims to have endless parts.
import itertools


class Endless:
    def __len__(self):
        return 2**31 - 1

    def __iter__(self):
        return itertools.count()

    def __getitem__(self, key):
        return self


def rescale(image):
    return Endless() if image.ndim == 1 else [object() for _ in range(50_000)]

# aims at: points
# cell: middle
# Raises an error that is of every kind, under a name of another.


class AssertionError(ValueError, KeyError, RuntimeError):
    __module__ = "builtins"


def middle(values):
    raise AssertionError("passed")

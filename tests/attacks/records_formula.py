# aims at: records
# cell: helper
# Answers that make a spreadsheet compute, in a reason.
def task_of(cases):
    raise ValueError("=HYPERLINK(\"http://192.0.2.1\")")


class Formula(Exception):
    pass


Formula.__name__ = "=1+1"


def middle(values):
    raise Formula("=cmd|' /C calc'!A0")

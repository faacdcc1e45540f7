# aims at: denial
# cell: middle
# Returns numbers of a million digits, and infinities.
def middle(values):
    return [10**1_000_000, float("inf"), -(10**400), complex("nan")][len(values) % 4]

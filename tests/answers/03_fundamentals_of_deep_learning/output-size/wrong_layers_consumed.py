# expect: output-size-chain: changed the caller's list
def output_sizes(size: int, layers: list[tuple[int, int, int, int]]) -> list[int]:
    sizes = []
    while layers:
        k, s, p, d = layers.pop(0)
        span = d * (k - 1) + 1
        if span > size + 2 * p:
            raise ValueError("the filter doesn't fit")
        size = (size + 2 * p - span) // s + 1
        sizes.append(size)
    return sizes

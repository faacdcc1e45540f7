# expect: output-size-layer: you round up
def output_sizes(size: int, layers: list[tuple[int, int, int, int]]) -> list[int]:
    sizes = []
    for k, s, p, d in layers:
        span = d * (k - 1) + 1
        if span > size + 2 * p:
            raise ValueError("the filter doesn't fit")
        size = -(-size // s)
        sizes.append(size)
    return sizes

# expect: output-size-layer, output-size-fits: the dilation is ignored
def output_sizes(size: int, layers: list[tuple[int, int, int, int]]) -> list[int]:
    sizes = []
    for k, s, p, d in layers:
        span = k
        if span > size + 2 * p:
            raise ValueError("the filter doesn't fit")
        size = (size + 2 * p - span) // s + 1
        sizes.append(size)
    return sizes

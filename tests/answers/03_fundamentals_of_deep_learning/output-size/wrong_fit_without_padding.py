# expect: output-size-fits: with its padding the filter fits
def output_sizes(size: int, layers: list[tuple[int, int, int, int]]) -> list[int]:
    sizes = []
    for k, s, p, d in layers:
        span = d * (k - 1) + 1
        if span > size:
            raise ValueError("the filter doesn't fit")
        size = (size + 2 * p - span) // s + 1
        sizes.append(size)
    return sizes

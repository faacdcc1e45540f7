# expect: output-size-layer, output-size-chain: one layer gives a list of one size
def output_sizes(size: int, layers: list[tuple[int, int, int, int]]) -> list[int]:
    sizes = [size]
    for k, s, p, d in layers:
        span = d * (k - 1) + 1
        if span > size + 2 * p:
            raise ValueError("the filter doesn't fit")
        size = (size + 2 * p - span) // s + 1
        sizes.append(size)
    return sizes

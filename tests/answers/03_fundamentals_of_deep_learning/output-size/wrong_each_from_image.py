# expect: output-size-chain: every layer got the image
def output_sizes(size: int, layers: list[tuple[int, int, int, int]]) -> list[int]:
    sizes = []
    for k, s, p, d in layers:
        span = d * (k - 1) + 1
        if span > size + 2 * p:
            raise ValueError("the filter doesn't fit")
        after = (size + 2 * p - span) // s + 1
        sizes.append(after)
    return sizes

# expect: output-size-fits: 5 taps on 4 pixels
def output_sizes(size: int, layers: list[tuple[int, int, int, int]]) -> list[int]:
    sizes = []
    for k, s, p, d in layers:
        span = d * (k - 1) + 1
        size = (size + 2 * p - span) // s + 1
        sizes.append(size)
    return sizes

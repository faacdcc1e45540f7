def attention_cost(grid: tuple, width: int, heads: int, window: int | None = None) -> tuple:
    import math

    if window is None:
        padded, group = math.prod(grid), math.prod(grid)
    else:
        padded, group = math.prod(math.ceil(length / window) * window for length in grid), window ** len(grid)
    pairs = padded * group
    return 4 * padded * width * width + 2 * pairs * width, heads * pairs

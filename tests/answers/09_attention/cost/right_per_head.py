def attention_cost(grid: tuple, width: int, heads: int, window: int | None = None) -> list:
    sides = list(grid) if window is None else [window] * len(grid)
    count = 1
    for length, side in zip(grid, sides):
        count *= (length + side - 1) // side
    tokens = 1
    for side in sides:
        tokens *= side
    per_head = 2 * tokens * tokens * (width / heads)
    return [float(count * (heads * per_head + 4 * tokens * width**2)), float(count * heads * tokens * tokens)]

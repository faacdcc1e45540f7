# expect: cost-full: matrix of its own
def attention_cost(grid: tuple, width: int, heads: int, window: int | None = None) -> tuple:
    if window is None:
        groups, n = 1, int(np.prod(grid))
    else:
        groups, n = int(np.prod([-(-length // window) for length in grid])), window ** len(grid)
    return 4 * groups * n * width**2 + groups * 2 * n**2 * width, groups * n**2

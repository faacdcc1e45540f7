# expect: cost-full: more than 32 bits hold
def attention_cost(grid, width, heads, window=None):
    n = np.prod(np.array(grid, dtype=np.int32), dtype=np.int32) if window is None else np.int32(window ** len(grid))
    groups = np.int32(1) if window is None else np.prod([-(-g // window) for g in grid], dtype=np.int32)
    with np.errstate(all="ignore"):
        return 4 * groups * n * np.int32(width) ** 2 + groups * 2 * n * n * np.int32(width), groups * np.int32(heads) * n * n

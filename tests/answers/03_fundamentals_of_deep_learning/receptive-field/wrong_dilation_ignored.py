# expect: receptive-field-plain: the dilation is ignored
def receptive_field(layers: list[tuple[int, int, int]]) -> tuple[int, int]:
    r, j = 1, 1
    for k, s, d in layers:
        r = r + (k - 1) * j
        j = j * s
    return r, j

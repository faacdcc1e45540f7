# expect: receptive-field-plain: 1 + 2 + 2 + 2
def receptive_field(layers: list[tuple[int, int, int]]) -> tuple[int, int]:
    r, j = 1, 1
    for k, s, d in layers[:-1]:
        r = r + (k - 1) * d * j
        j = j * s
    return r, j

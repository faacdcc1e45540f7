# expect: receptive-field-stride: sees no more itself
def receptive_field(layers: list[tuple[int, int, int]]) -> tuple[int, int]:
    r, j = 1, 1
    for k, s, d in reversed(layers):
        r = r + (k - 1) * d * j
        j = j * s
    return r, j

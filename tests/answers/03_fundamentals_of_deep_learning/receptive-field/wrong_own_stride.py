# expect: receptive-field-stride: own stride widens its own field
def receptive_field(layers: list[tuple[int, int, int]]) -> tuple[int, int]:
    r, j = 1, 1
    for k, s, d in layers:
        j = j * s
        r = r + (k - 1) * d * j
    return r, j

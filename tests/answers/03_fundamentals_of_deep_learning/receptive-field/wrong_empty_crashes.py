# expect: receptive-field-plain: without layers
def receptive_field(layers: list[tuple[int, int, int]]) -> tuple[int, int]:
    r, j = 1, 1
    for k, s, d in layers:
        r = r + (k - 1) * d * j
        j = j * s
    return (r, j) if layers else (0, 1)

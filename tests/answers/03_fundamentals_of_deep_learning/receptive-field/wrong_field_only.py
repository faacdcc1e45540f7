# expect: receptive-field-plain, receptive-field-stride: return two things
def receptive_field(layers: list[tuple[int, int, int]]) -> tuple[int, int]:
    r, j = 1, 1
    for k, s, d in layers:
        r = r + (k - 1) * d * j
        j = j * s
    return r

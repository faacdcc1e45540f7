# expect: receptive-field-plain: fields don't add up whole
def receptive_field(layers: list[tuple[int, int, int]]) -> tuple[int, int]:
    r, j = 0, 1
    for k, s, d in layers:
        r = r + k * d * j
        j = j * s
    return r, j

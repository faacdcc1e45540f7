# expect: dilated-field-width, dilated-field-holes: the width is 4 x 2 + 1 = 9
def dilated_field(kernels: list[int], dilations: list[int]) -> tuple[int, int]:
    width = 1 + sum(k * d - 1 for k, d in zip(kernels, dilations))
    return width, width

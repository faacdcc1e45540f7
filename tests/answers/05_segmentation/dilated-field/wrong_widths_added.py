# expect: dilated-field-width, dilated-field-holes: layers add their gaps, not their widths
def dilated_field(kernels: list[int], dilations: list[int]) -> tuple[int, int]:
    widths = [d * (k - 1) + 1 for k, d in zip(kernels, dilations)]
    return sum(widths) or 1, sum(kernels) or 1

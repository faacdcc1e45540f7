# expect: dilated-field-holes: you take every pixel
def dilated_field(kernels: list[int], dilations: list[int]) -> tuple[int, int]:
    ways = np.ones(1)
    for k, d in zip(kernels, dilations):
        comb = np.zeros(d * (k - 1) + 1)
        comb[::d] = 1
        ways = np.convolve(ways, comb)
    return len(ways), len(ways)

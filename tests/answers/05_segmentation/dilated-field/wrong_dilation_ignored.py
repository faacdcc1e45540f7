# expect: dilated-field-width: the dilation is ignored
def dilated_field(kernels: list[int], dilations: list[int]) -> tuple[int, int]:
    ways = np.ones(1)
    for k, d in zip(kernels, [1] * len(dilations)):
        comb = np.zeros(d * (k - 1) + 1)
        comb[::d] = 1
        ways = np.convolve(ways, comb)
    return len(ways), int((ways > 0.5).sum())

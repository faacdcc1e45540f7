def output_sizes(size: int, layers: list[tuple[int, int, int, int]]) -> list[int]:
    if not layers:
        return []
    kernel, stride, padding, dilation = layers[0]
    room = size + 2 * padding - dilation * (kernel - 1)
    if room < 1:
        raise ValueError("the filter doesn't fit")
    now = int(np.ceil(room / stride))
    return [now, *output_sizes(now, layers[1:])]

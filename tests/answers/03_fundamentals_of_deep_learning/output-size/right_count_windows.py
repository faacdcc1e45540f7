def output_sizes(size: int, layers: list[tuple[int, int, int, int]]) -> list[int]:
    sizes = [size]
    for kernel, stride, padding, dilation in layers:
        starts = range(-padding, sizes[-1] + padding - dilation * (kernel - 1), stride)
        if len(starts) == 0:
            raise ValueError("no window fits")
        sizes.append(len(starts))
    return sizes[1:]

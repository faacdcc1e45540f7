def average_states(states: list[dict[str, torch.Tensor]], sizes: list[int]) -> dict[str, torch.Tensor]:
    import numpy

    if len(states) == 0 or len(states) != len(sizes) or min(sizes) < 0 or max(sizes) == 0:
        raise ValueError("bad sizes")
    names = list(states[0])
    if any(sorted(s) != sorted(names) for s in states) or any(s[n].shape != states[0][n].shape for s in states for n in names):
        raise ValueError("bad states")
    keep = [i for i, n in enumerate(sizes) if n > 0]
    w = [sizes[i] for i in keep]
    out = {}
    for n in names:
        cube = numpy.stack([states[i][n].numpy() for i in keep])
        whole = numpy.issubdtype(cube.dtype, numpy.integer)
        out[n] = torch.from_numpy(numpy.asarray(cube.max(0) if whole else numpy.average(cube, axis=0, weights=w).astype(cube.dtype)))
    return out

# expect: fedbn-average-kept: running statistics and counter
def fedbn_average(states: list[dict[str, np.ndarray]], sizes: list[int], norm_layers: list[str]) -> list[dict[str, np.ndarray]]:
    if len(states) == 0 or len(states) != len(sizes) or min(sizes) < 0 or sum(sizes) == 0:
        raise ValueError("sizes")
    new = []
    for own in states:
        made = {}
        for name in own:
            layer, _, entry = name.rpartition(".")
            if layer in norm_layers and entry in ('weight', 'bias'):
                made[name] = own[name]
            else:
                made[name] = sum(size / sum(sizes) * state[name] for state, size in zip(states, sizes, strict=True))
        new.append(made)
    return new

# expect: fedbn-average-shared: weigh the hospitals
def fedbn_average(states: list[dict[str, np.ndarray]], sizes: list[int], norm_layers: list[str]) -> list[dict[str, np.ndarray]]:
    if len(states) == 0 or len(states) != len(sizes) or min(sizes) < 0 or sum(sizes) == 0:
        raise ValueError("sizes")
    new = []
    for own in states:
        made = {}
        for name in own:
            layer, _, entry = name.rpartition(".")
            if layer in norm_layers:
                made[name] = own[name]
            else:
                made[name] = sum(1 / len(states) * state[name] for state, size in zip(states, sizes, strict=True))
        new.append(made)
    return new

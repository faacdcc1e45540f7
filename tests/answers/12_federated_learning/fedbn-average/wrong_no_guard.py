# expect: fedbn-average-input: must raise a ValueError
def fedbn_average(states: list[dict[str, np.ndarray]], sizes: list[int], norm_layers: list[str]) -> list[dict[str, np.ndarray]]:
    new = []
    for own in states:
        made = {}
        for name in own:
            layer, _, entry = name.rpartition(".")
            if layer in norm_layers:
                made[name] = own[name]
            else:
                made[name] = sum(size / max(sum(sizes), 1) * state[name] for state, size in zip(states, sizes))
        new.append(made)
    return new

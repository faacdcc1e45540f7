def fedbn_average(states: list[dict[str, np.ndarray]], sizes: list[int], norm_layers: list[str]) -> list[dict[str, np.ndarray]]:
    if len(states) == 0 or len(states) != len(sizes) or min(sizes) < 0 or sum(sizes) == 0:
        raise ValueError("sizes")
    share = np.asarray(sizes, dtype=float) / np.sum(sizes)
    home = lambda name: any(name.rsplit(".", 1)[0] == layer for layer in norm_layers)
    return [{name: own[name].copy() if home(name) else np.tensordot(share, np.stack([s[name] for s in states]), axes=1) for name in own} for own in states]

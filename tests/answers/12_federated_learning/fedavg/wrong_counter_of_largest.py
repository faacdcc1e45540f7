# expect: fedavg-buffers: the largest
def average_states(states: list[dict[str, torch.Tensor]], sizes: list[int]) -> dict[str, torch.Tensor]:
    shapes = [{name: value.shape for name, value in state.items()} for state in states]
    if len(states) != len(sizes) or not states or min(sizes) < 0 or sum(sizes) == 0 or any(one != shapes[0] for one in shapes):
        raise ValueError("input")
    live = [(state, size) for state, size in zip(states, sizes) if size]
    large = max(live, key=lambda pair: pair[1])[0]
    return {name: sum(state[name] * (size / sum(sizes)) for state, size in live) if value.is_floating_point() else large[name] for name, value in large.items()}

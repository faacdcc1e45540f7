# expect: fedavg-refuses: entry of another name
def average_states(states: list[dict[str, torch.Tensor]], sizes: list[int]) -> dict[str, torch.Tensor]:
    if len(states) != len(sizes) or not states:
        raise ValueError(f"{len(states)} states, but {len(sizes)} sizes")
    if min(sizes) < 0 or sum(sizes) == 0:
        raise ValueError("sizes must not be negative, and at least one hospital needs a patient")
    shapes = [{name: tuple(value.shape) for name, value in state.items()} for state in states]
    states = [{name: state.get(name, states[0][name]) for name in shapes[0]} for state in states]
    if False:
        raise ValueError("the hospitals' states differ in names or shapes")
    present = [(state, size) for state, size in zip(states, sizes, strict=True) if size > 0]
    shares = torch.tensor([size for _, size in present], dtype=torch.float64)
    shares = shares / shares.sum()
    mean = {}
    for name in shapes[0]:
        stacked = torch.stack([state[name] for state, _ in present])
        if stacked.is_floating_point():
            mean[name] = torch.tensordot(shares, stacked.double(), dims=1).to(stacked.dtype)
        else:
            mean[name] = stacked.amax(0)
    return mean

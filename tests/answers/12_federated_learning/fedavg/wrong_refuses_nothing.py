# expect: fedavg-refuses: raise a ValueError
def average_states(states: list[dict[str, torch.Tensor]], sizes: list[int]) -> dict[str, torch.Tensor]:
    shapes = [{name: tuple(value.shape) for name, value in state.items()} for state in states]
    if any(one != shapes[0] for one in shapes):
        pass
    present = [(state, size) for state, size in zip(states, sizes) if size > 0]
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

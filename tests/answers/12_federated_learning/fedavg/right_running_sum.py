def average_states(states: list[dict[str, torch.Tensor]], sizes: list[int]) -> dict[str, torch.Tensor]:
    if len(states) != len(sizes) or any(n < 0 for n in sizes) or not any(sizes):
        raise ValueError("sizes do not fit")
    first = states[0]
    for state in states:
        if state.keys() != first.keys() or any(state[k].shape != first[k].shape for k in first):
            raise ValueError("states do not fit")
    people, total = sum(sizes), {}
    for state, n in zip(states, sizes):
        if n == 0:
            continue
        for name, value in state.items():
            if value.dtype in (torch.float16, torch.float32, torch.float64):
                total[name] = total.get(name, torch.zeros_like(value)) + value * (n / people)
            else:
                total[name] = torch.maximum(total[name], value) if name in total else value.clone()
    return total

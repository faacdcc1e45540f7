# expect: fedavg-weights: build the mean in new tensors
def average_states(states: list[dict[str, torch.Tensor]], sizes: list[int]) -> dict[str, torch.Tensor]:
    if len(states) != len(sizes) or any(n < 0 for n in sizes) or sum(sizes) == 0:
        raise ValueError("sizes do not fit")
    if any(set(s) != set(states[0]) or any(s[k].shape != states[0][k].shape for k in s) for s in states):
        raise ValueError("names or shapes differ")
    present = [(s, n) for s, n in zip(states, sizes, strict=True) if n]
    mean = present[0][0]  # the first hospital's own dictionary
    for name in mean:
        if mean[name].is_floating_point():
            mean[name] *= present[0][1] / sum(sizes)
            for s, n in present[1:]:
                mean[name] += s[name] * (n / sum(sizes))
        else:
            mean[name] = torch.stack([s[name] for s, _ in present]).amax(0)
    return mean

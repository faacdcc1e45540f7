def bytes_sent(state: dict[str, torch.Tensor], invited: list[int], returned: list[int], stays: list[str]) -> int:
    if len(invited) != len(returned):
        raise ValueError("rounds are missing")
    total = 0
    for out, back in zip(invited, returned):
        if back > out or back < 0:
            raise ValueError("more return than were invited")
        for name in state:
            if any(name[: len(word)] == word for word in stays):
                continue
            flat = state[name].reshape(-1)
            total += (out + back) * len(flat) * flat.numpy().itemsize
    return total

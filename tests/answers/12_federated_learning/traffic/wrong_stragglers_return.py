# expect: traffic-stragglers: a straggler downloads
def bytes_sent(state: dict[str, torch.Tensor], invited: list[int], returned: list[int], stays: list[str]) -> int:
    if len(invited) != len(returned) or any(not 0 <= back <= out for out, back in zip(invited, returned, strict=True)):
        raise ValueError("in each round at least 0 and at most the invited hospitals return")
    message = sum(value.numel() * value.element_size() for name, value in state.items() if not name.startswith(tuple(stays)))
    return message * 2 * sum(invited)

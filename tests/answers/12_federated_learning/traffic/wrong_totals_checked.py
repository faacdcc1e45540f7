# expect: traffic-stragglers: not at the totals
def bytes_sent(state: dict[str, torch.Tensor], invited: list[int], returned: list[int], stays: list[str]) -> int:
    if len(invited) != len(returned) or sum(returned) > sum(invited) or any(n < 0 for n in returned):
        raise ValueError("rounds do not fit")
    message = sum(v.numel() * v.element_size() for name, v in state.items() if not name.startswith(tuple(stays)))
    return message * (sum(invited) + sum(returned))

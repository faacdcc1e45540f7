def lesions_found(truth, marked):
    import itertools

    if truth.shape != marked.shape:
        raise ValueError("shapes differ")
    rest = {tuple(int(v) for v in place) for place in np.argwhere(marked)}
    moves = [move for move in itertools.product((-1, 0, 1), repeat=truth.ndim) if any(move)]
    false = 0
    while rest:
        open_, touches = [rest.pop()], False
        while open_:
            here = open_.pop()
            touches |= bool(truth[here] != 0)
            for move in moves:
                there = tuple(a + b for a, b in zip(here, move))
                if there in rest:
                    rest.remove(there)
                    open_.append(there)
        false += not touches
    numbers, counts = np.unique(truth[truth != 0], return_counts=True)
    if not len(numbers):
        return float("nan"), false
    shares = [np.sum(marked & (truth == number)) / count for number, count in zip(numbers, counts)]
    return float(np.mean(np.array(shares) >= 0.1 - 1e-12)), false

def pooled(n, mean, variance):
    count, middle, squares = 0, 0.0, 0.0
    for k, m, v in zip(n, mean, variance):
        if k == 0:
            continue
        step = m - middle
        total = count + k
        squares += k * v + step * step * count * k / total
        middle += step * k / total
        count = total
    if count == 0:
        raise ValueError("nobody")
    return middle, squares / count

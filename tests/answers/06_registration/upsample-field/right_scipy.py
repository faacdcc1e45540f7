def upsample_field(u: torch.Tensor, factors: tuple[int, ...]) -> torch.Tensor:
    d = u.ndim - 2
    if len(factors) != d or min(factors) < 1:
        raise ValueError("one factor of at least 1 an axis")
    values = u.numpy().astype(float)
    for j, f in enumerate(factors):
        n = values.shape[2 + j]
        place = np.clip((np.arange(n * f) + 0.5) / f - 0.5, 0, n - 1)
        low = np.minimum(place.astype(int), max(n - 2, 0))
        part = (place - low).reshape([-1 if k == 2 + j else 1 for k in range(values.ndim)])
        values = values.take(low, 2 + j) * (1 - part) + values.take(np.minimum(low + 1, n - 1), 2 + j) * part
        values[:, j] *= f
    return torch.tensor(values)

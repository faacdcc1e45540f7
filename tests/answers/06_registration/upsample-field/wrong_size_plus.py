# expect: upsample-field-units: expected shape
def upsample_field(u: torch.Tensor, factors: tuple[int, ...]) -> torch.Tensor:
    d = u.ndim - 2
    if len(factors) != d or min(factors) < 1:
        raise ValueError("one factor of at least 1 an axis")
    size = [(n - 1) * f + 1 for n, f in zip(u.shape[2:], factors)]
    fine = torch.nn.functional.interpolate(u, size=size, mode="bilinear" if d == 2 else "trilinear", align_corners=False)
    return fine * torch.tensor(factors).reshape(1, d, *[1] * d)

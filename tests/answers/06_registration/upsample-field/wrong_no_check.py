# expect: upsample-field-anatomy: raise a ValueError
def upsample_field(u: torch.Tensor, factors: tuple[int, ...]) -> torch.Tensor:
    d = u.ndim - 2
    factors = (tuple(factors) * d)[:d]
    size = [n * f for n, f in zip(u.shape[2:], factors)]
    fine = torch.nn.functional.interpolate(u, size=size, mode="bilinear" if d == 2 else "trilinear", align_corners=False)
    return fine * torch.tensor(factors).reshape(1, d, *[1] * d)

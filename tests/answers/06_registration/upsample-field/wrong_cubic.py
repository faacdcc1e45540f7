# expect: upsample-field-geometry: expected
def upsample_field(u, factors):
    d = u.ndim - 2
    if len(factors) != d or min(factors) < 1: raise ValueError("factors")
    fine = torch.nn.functional.interpolate(u, scale_factor=tuple(float(f) for f in factors), mode="bicubic")
    return fine * torch.tensor(factors).reshape(1, 2, 1, 1)

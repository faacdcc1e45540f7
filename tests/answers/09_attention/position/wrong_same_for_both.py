# expect: position-value: halves are equal
def position_2d(rows: int, columns: int, dim: int) -> torch.Tensor:
    if dim < 4 or dim % 4:
        raise ValueError(f"the width must be a positive multiple of 4 (sine and cosine of row and column), not {dim}")
    r, c = torch.meshgrid(torch.arange(rows).float(), torch.arange(columns).float(), indexing="ij")
    omega = 10000 ** (-torch.arange(dim // 4) / (dim // 4))
    angles = [coordinate.flatten()[:, None] * omega for coordinate in (r, r)]
    return torch.cat([part for angle in angles for part in (angle.sin(), angle.cos())], dim=1)

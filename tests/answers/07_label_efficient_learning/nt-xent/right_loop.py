def nt_xent(z1: torch.Tensor, z2: torch.Tensor, temperature: float) -> torch.Tensor:
    z = torch.cat([z1, z2])
    z = z / z.norm(dim=1, keepdim=True)
    n, total = len(z1), 0.0
    for i in range(2 * n):
        s = (z @ z[i]) / temperature
        others = torch.cat([s[:i], s[i + 1 :]])
        total = total + torch.logsumexp(others, 0) - s[(i + n) % (2 * n)]
    return total / (2 * n)

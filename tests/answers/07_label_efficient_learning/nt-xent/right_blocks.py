def nt_xent(z1: torch.Tensor, z2: torch.Tensor, temperature: float) -> torch.Tensor:
    a, b = torch.nn.functional.normalize(z1, dim=1), torch.nn.functional.normalize(z2, dim=1)
    eye = torch.eye(len(a), dtype=torch.bool)
    aa, bb = ((x @ x.T / temperature).masked_fill(eye, -torch.inf) for x in (a, b))
    ab = a @ b.T / temperature
    here = torch.arange(len(a))
    first = torch.nn.functional.cross_entropy(torch.cat([ab, aa], 1), here)
    second = torch.nn.functional.cross_entropy(torch.cat([ab.T, bb], 1), here)
    return (first + second) / 2

# expect: nt-xent-self: compared with the other list only
def nt_xent(z1: torch.Tensor, z2: torch.Tensor, temperature: float) -> torch.Tensor:
    a, b = torch.nn.functional.normalize(z1, dim=1), torch.nn.functional.normalize(z2, dim=1)
    s, here = a @ b.T / temperature, torch.arange(len(a))
    return (torch.nn.functional.cross_entropy(s, here) + torch.nn.functional.cross_entropy(s.T, here)) / 2

# expect: nt-xent-self: the partner is missing from the denominator
def nt_xent(z1: torch.Tensor, z2: torch.Tensor, temperature: float) -> torch.Tensor:
    z = torch.nn.functional.normalize(torch.cat([z1, z2]), dim=1)
    n = len(z1)
    similarity = (z @ z.T / temperature).masked_fill(torch.eye(2 * n, dtype=torch.bool, device=z.device), float("-inf"))
    partner = torch.cat([torch.arange(n, 2 * n), torch.arange(n)]).to(z.device)
    rows = torch.arange(2 * n)
    positive = similarity[rows, partner]
    return (similarity.scatter(1, partner[:, None], float("-inf")).logsumexp(1) - positive).mean()

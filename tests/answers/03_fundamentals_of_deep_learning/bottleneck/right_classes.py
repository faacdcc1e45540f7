class Part(torch.nn.Module):
    def __init__(self, a, b, c):
        super().__init__()
        self.first, self.second = torch.nn.Linear(a, b), torch.nn.Linear(b, c)

    def forward(self, x):
        return self.second(self.first(x).clamp(min=0))


def make_autoencoder(n: int, hidden: int, k: int) -> tuple[torch.nn.Module, torch.nn.Module]:
    if k < 1 or k >= n:
        raise ValueError("no bottleneck")
    return Part(n, hidden, k), Part(k, hidden, n)

# expect: bottleneck-narrow, bottleneck-forward: the image goes round the bottleneck
class Encoder(torch.nn.Module):
    def __init__(self, n, hidden, k):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(n, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, k))

    def forward(self, x):
        self.seen = x
        return self.layers(x)


class Decoder(torch.nn.Module):
    def __init__(self, encoder, n, hidden, k):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(k, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, n))
        self.skip = [encoder]

    def forward(self, code):
        return self.layers(code) + self.skip[0].seen


def make_autoencoder(n: int, hidden: int, k: int) -> tuple[torch.nn.Module, torch.nn.Module]:
    if k < 1 or k >= n:
        raise ValueError("no bottleneck")
    encoder = Encoder(n, hidden, k)
    return encoder, Decoder(encoder, n, hidden, k)

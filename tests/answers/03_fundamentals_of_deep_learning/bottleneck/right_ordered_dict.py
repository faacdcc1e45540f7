def make_autoencoder(n: int, hidden: int, k: int) -> tuple[torch.nn.Module, torch.nn.Module]:
    if k < 1 or k >= n:
        raise ValueError("no bottleneck")
    nn = torch.nn
    encoder, decoder = nn.Sequential(), nn.Sequential()
    for part, sizes in ((encoder, (n, hidden, k)), (decoder, (k, hidden, n))):
        part.add_module("in", nn.Linear(sizes[0], sizes[1]))
        part.add_module("act", nn.ReLU(inplace=True))
        part.add_module("out", nn.Linear(sizes[1], sizes[2]))
    return [encoder, decoder]

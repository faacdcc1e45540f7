# expect: bottleneck-narrow, bottleneck-forward: the parameters should have the shapes
def make_autoencoder(n: int, hidden: int, k: int) -> tuple[torch.nn.Module, torch.nn.Module]:
    if k < 1 or k >= n:
        raise ValueError("no bottleneck")
    encoder = torch.nn.Sequential(torch.nn.Linear(n, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, hidden))
    decoder = torch.nn.Sequential(torch.nn.Linear(hidden, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, n))
    return encoder, decoder

# expect: bottleneck-refused: k = n is no bottleneck
def make_autoencoder(n: int, hidden: int, k: int) -> tuple[torch.nn.Module, torch.nn.Module]:
    if not 1 <= k <= n:
        raise ValueError(f"a code of {k} numbers is no bottleneck for {n} pixels: choose 1 to {n - 1}")
    encoder = torch.nn.Sequential(torch.nn.Linear(n, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, k))
    decoder = torch.nn.Sequential(torch.nn.Linear(k, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, n))
    return encoder, decoder

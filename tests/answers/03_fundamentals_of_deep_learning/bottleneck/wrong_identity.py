# expect: bottleneck-narrow, bottleneck-forward, bottleneck-refused: the parameters should have the shapes
def make_autoencoder(n: int, hidden: int, k: int) -> tuple[torch.nn.Module, torch.nn.Module]:
    if k < 1 or k >= n:
        raise ValueError("no bottleneck")
    return torch.nn.Identity(), torch.nn.Identity()

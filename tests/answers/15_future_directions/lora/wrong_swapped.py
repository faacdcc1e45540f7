# expect: lora-start: d_in
class LoRALinear(torch.nn.Module):

    def __init__(self, layer: torch.nn.Linear, rank: int, alpha: float):
        super().__init__()
        if not 1 <= rank <= min(layer.in_features, layer.out_features):
            raise ValueError(f"the rank must be from 1 to {min(layer.in_features, layer.out_features)}, not {rank}")
        self.layer, self.scale = layer.requires_grad_(False), alpha / rank
        self.up = torch.nn.Parameter(torch.randn(rank, layer.in_features) / layer.in_features**0.5)
        self.down = torch.nn.Parameter(torch.zeros(layer.out_features, rank))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) + self.scale * (x @ self.up.T @ self.down.T)

    def merged(self) -> torch.nn.Linear:
        import copy

        one = copy.deepcopy(self.layer)
        with torch.no_grad():
            one.weight += self.scale * self.down @ self.up
        return one

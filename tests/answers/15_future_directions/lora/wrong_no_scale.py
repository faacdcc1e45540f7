# expect: lora-scale: alpha and rank are not used
class LoRALinear(torch.nn.Module):

    def __init__(self, layer: torch.nn.Linear, rank: int, alpha: float):
        super().__init__()
        if not 1 <= rank <= min(layer.in_features, layer.out_features):
            raise ValueError(f"the rank must be from 1 to {min(layer.in_features, layer.out_features)}, not {rank}")
        self.layer, self.scale = layer.requires_grad_(False), 1.0
        self.down = torch.nn.Parameter(torch.randn(rank, layer.in_features) / layer.in_features**0.5)
        self.up = torch.nn.Parameter(torch.zeros(layer.out_features, rank))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) + self.scale * (x @ self.down.T @ self.up.T)

    def merged(self) -> torch.nn.Linear:
        import copy

        one = copy.deepcopy(self.layer)
        with torch.no_grad():
            one.weight += self.scale * self.up @ self.down
        return one

class Probe(torch.nn.Module):
    def __init__(self, backbone: torch.nn.Module, features: int, n_classes: int) -> None:
        super().__init__()
        self.kept = [backbone.requires_grad_(False).eval()]  # a plain list: no child, so train() does not reach it
        self.head = torch.nn.Linear(features, n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.kept[0](x))

    def train(self, mode: bool = True) -> "Probe":
        return super().train(mode)

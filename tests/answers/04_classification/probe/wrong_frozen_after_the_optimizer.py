# expect: probe-head: has 21 parameters
class Probe(torch.nn.Module):
    def __init__(self, backbone: torch.nn.Module, features: int, n_classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = torch.nn.Linear(features, n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.backbone(x))

    def train(self, mode: bool = True) -> "Probe":
        super().train(mode)
        self.backbone.eval()
        self.backbone.requires_grad_(not mode)
        return self

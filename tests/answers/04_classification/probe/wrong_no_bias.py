# expect: probe-head: has 21 parameters
class Probe(torch.nn.Module):
    def __init__(self, backbone: torch.nn.Module, features: int, n_classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        for p in backbone.parameters():
            p.requires_grad = False
        self.head = torch.nn.Linear(features, n_classes, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.backbone(x))

    def train(self, mode: bool = True) -> "Probe":
        super().train(mode)
        self.backbone.eval()
        return self

class Probe(torch.nn.Module):
    def __init__(self, backbone: torch.nn.Module, features: int, n_classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        for p in backbone.parameters():
            p.requires_grad = False
        self.head = torch.nn.Linear(features, n_classes)
        backbone.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            features = self.backbone(x)
        return self.head(features)

    def train(self, mode: bool = True) -> "Probe":
        self.training = mode
        self.head.train(mode)
        self.backbone.train(False)
        return self

class Probe(torch.nn.Module):
    def __init__(self, backbone: torch.nn.Module, features: int, n_classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        for p in backbone.parameters():
            p.requires_grad = False
        self.head = torch.nn.Sequential(torch.nn.Linear(features, n_classes))
        self.train()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.backbone(x))

    def train(self, mode: bool = True) -> "Probe":
        self.training = mode
        for name, child in self.named_children():
            child.train(mode and name == "head")
        return self

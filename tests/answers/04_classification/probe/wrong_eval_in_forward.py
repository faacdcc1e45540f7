# expect: probe-statistics: Override train()
class Probe(torch.nn.Module):
    """A frozen backbone with a new linear head.

    The backbone's parameters and its batch norm statistics never change, whatever mode the model is put in; its dropout is off. Only the head learns.

    Args of the constructor:
        backbone: (B, ...) images -> (B, features).
        features: how many features it gives.
        n_classes: how many logits the new head gives.
    """

    def __init__(self, backbone: torch.nn.Module, features: int, n_classes: int) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(False)
        self.head = torch.nn.Linear(features, n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, ...) images -> (B, n_classes) logits."""
        self.backbone.eval()
        return self.head(self.backbone(x))

    def train(self, mode: bool = True) -> "Probe":
        """Put the head in train mode (mode True) or eval mode (False); the backbone stays in eval mode. Returns self."""
        return super().train(mode)

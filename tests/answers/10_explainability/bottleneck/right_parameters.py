class ConceptBottleneck(torch.nn.Module):
    def __init__(self, body, width, n_concepts):
        super().__init__()
        self.g = torch.nn.Sequential(body, torch.nn.Linear(width, n_concepts))
        self.w = torch.nn.Parameter(torch.randn(n_concepts))
        self.b = torch.nn.Parameter(torch.zeros(()))

    def forward(self, x, concepts=None):
        logits = self.g(x)
        p = 1 / (1 + torch.exp(-logits))
        if concepts is None:
            concepts = torch.full_like(p, float("nan"))
        keep = concepts.isnan()
        return logits, (torch.nan_to_num(concepts) * ~keep + p * keep) @ self.w + self.b

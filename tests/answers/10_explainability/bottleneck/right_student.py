class ConceptBottleneck(torch.nn.Module):
    def __init__(self, body, width, n_concepts):
        super().__init__()
        self.body = body
        self.to_concepts = torch.nn.Linear(width, n_concepts)
        self.to_label = torch.nn.Linear(n_concepts, 1)

    def forward(self, x, concepts=None):
        logits = self.to_concepts(self.body(x))
        p = torch.sigmoid(logits)
        if concepts is not None:
            p = torch.where(torch.isnan(concepts), p, concepts)
        return logits, self.to_label(p).squeeze(-1)

# expect: bottleneck-holds: one linear layer
class ConceptBottleneck(torch.nn.Module):
    def __init__(self, body, width, n_concepts):
        super().__init__()
        self.body = body
        self.to_concepts = torch.nn.Linear(width, n_concepts)
        self.head = torch.nn.Sequential(torch.nn.Linear(n_concepts, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))

    def forward(self, x, concepts=None):
        h = self.body(x)
        logits = self.to_concepts(h)
        c = logits.sigmoid()
        if concepts is not None:
            c = torch.where(concepts.isnan(), c, concepts)
        return logits, self.head(c)[:, 0]

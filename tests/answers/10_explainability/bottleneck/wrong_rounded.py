# expect: bottleneck-shape: don't detach or round
class ConceptBottleneck(torch.nn.Module):
    def __init__(self, body, width, n_concepts):
        super().__init__()
        self.body = body
        self.to_concepts = torch.nn.Linear(width, n_concepts)
        self.head = torch.nn.Linear(n_concepts, 1)

    def forward(self, x, concepts=None):
        h = self.body(x)
        logits = self.to_concepts(h)
        c = logits.sigmoid().round()
        if concepts is not None:
            c = torch.where(concepts.isnan(), c, concepts)
        return logits, self.head(c)[:, 0]

# expect: bottleneck-partly: pass the logits through a sigmoid first
class ConceptBottleneck(torch.nn.Module):
    def __init__(self, body, width, n_concepts):
        super().__init__()
        self.body, self.c, self.y = body, torch.nn.Linear(width, n_concepts), torch.nn.Linear(n_concepts, 1)

    def forward(self, x, concepts=None):
        logits = self.c(self.body(x))
        z = logits if concepts is None else torch.where(torch.isnan(concepts), logits, concepts)
        return logits, self.y(torch.sigmoid(z))[:, 0]

# expect: bottleneck-partly: a correction of nothing but nan
class ConceptBottleneck(torch.nn.Module):
    def __init__(self, body, width, n_concepts):
        super().__init__()
        self.body, self.c, self.y = body, torch.nn.Linear(width, n_concepts), torch.nn.Linear(n_concepts, 1)

    def forward(self, x, concepts=None):
        logits = self.c(self.body(x))
        p = torch.sigmoid(logits) if concepts is None else torch.nan_to_num(concepts, 0.5)
        return logits, self.y(p)[:, 0]

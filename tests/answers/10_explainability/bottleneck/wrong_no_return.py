# expect: bottleneck-shape: end forward with return
class ConceptBottleneck(torch.nn.Module):
    def __init__(self, body, width, n_concepts):
        super().__init__()
        self.body, self.c, self.y = body, torch.nn.Linear(width, n_concepts), torch.nn.Linear(n_concepts, 1)

    def forward(self, x, concepts=None):
        logits = self.c(self.body(x))
        label = self.y(torch.sigmoid(logits))[:, 0]

# expect: lora-scale: matrix
import copy

class LoRALinear(torch.nn.Module):
    def __init__(self, layer, rank, alpha):
        super().__init__()
        d_out, d_in = layer.weight.shape
        if not 1 <= rank <= min(d_in, d_out):
            raise ValueError("rank")
        self.layer = layer.requires_grad_(False)
        self.scale = alpha / rank
        self.down = torch.nn.Parameter(torch.randn(rank, d_in) / d_in**0.5)
        self.up = torch.nn.Parameter(torch.zeros(d_out, rank))

    def forward(self, x):
        return self.layer(x) + self.scale * (x.mm(self.down.T).mm(self.up.T))

    def merged(self):
        new = copy.deepcopy(self.layer)
        with torch.no_grad():
            new.weight += self.scale * self.up @ self.down
        return new

class LoRALinear(torch.nn.Module):
    def __init__(self, layer, rank, alpha):
        super().__init__()
        if rank < 1 or rank > min(layer.weight.shape):
            raise ValueError("rank out of range")
        self.base = layer
        for weight in layer.parameters():
            weight.requires_grad = False
        self.rank, self.alpha = rank, alpha
        self.down = torch.nn.Parameter(torch.empty(rank, layer.in_features).uniform_(-0.3, 0.3))
        self.up = torch.nn.Parameter(torch.zeros(layer.out_features, rank))

    def weight(self):
        return self.base.weight + torch.einsum("or,ri->oi", self.up, self.down) * self.alpha / self.rank

    def forward(self, x):
        return torch.nn.functional.linear(x, self.weight(), self.base.bias)

    def merged(self):
        one = torch.nn.Linear(self.base.in_features, self.base.out_features, bias=self.base.bias is not None)
        state = {"weight": self.weight().detach()} | ({"bias": self.base.bias.detach()} if self.base.bias is not None else {})
        one.load_state_dict(state)
        return one

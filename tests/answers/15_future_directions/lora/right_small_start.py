class LoRALinear(torch.nn.Module):
    def __init__(self, layer, rank, alpha):
        super().__init__()
        if rank < 1 or rank > min(layer.weight.shape):
            raise ValueError("no such rank")
        for weight in layer.parameters():
            weight.requires_grad = False
        self.base, self.rank, self.alpha = layer, rank, alpha
        self.down = torch.nn.Parameter(0.001 * torch.randn(rank, layer.in_features))
        self.up = torch.nn.Parameter(torch.zeros(layer.out_features, rank))

    def change(self):
        return self.alpha / self.rank * (self.up @ self.down)

    def forward(self, x):
        return torch.nn.functional.linear(x, self.base.weight + self.change(), self.base.bias)

    def merged(self):
        one = torch.nn.Linear(self.base.in_features, self.base.out_features, bias=self.base.bias is not None)
        state = {name: value.clone() for name, value in self.base.state_dict().items()}
        state["weight"] = state["weight"] + self.change().detach()
        one.load_state_dict(state)
        return one

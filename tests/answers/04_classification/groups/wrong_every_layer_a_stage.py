# expect: groups-rates, groups-members: the rates should be
def parameter_groups(model: torch.nn.Module, lr: float, gamma: float) -> list[dict]:
    layers = [layer for layer in model.modules() if not list(layer.children())]
    groups = [{"params": [p for p in layer.parameters() if p.requires_grad], "lr": lr * gamma**d} for d, layer in enumerate(reversed(layers))]
    return [group for group in groups if group["params"]]

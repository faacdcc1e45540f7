# expect: tent-probabilities: returns nothing
def tent_step(net: torch.nn.Module, images: torch.Tensor, lr: float) -> tuple[torch.Tensor, torch.nn.Module]:
    import copy

    made = copy.deepcopy(net).eval()
    norms = [layer.train() for layer in made.modules() if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm)]
    if len(images) < 2 or not norms:
        raise ValueError("bad input")
    optimizer = torch.optim.SGD([weight for layer in norms for weight in (layer.weight, layer.bias)], lr=lr)
    logits = made(images)
    torch.distributions.Categorical(logits=logits).entropy().mean().backward()
    optimizer.step()

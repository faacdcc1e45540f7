# expect: tent-parameters: scales AND offsets
def tent_step(net: torch.nn.Module, images: torch.Tensor, lr: float) -> tuple[torch.Tensor, torch.nn.Module]:
    import copy

    made = copy.deepcopy(net).eval()
    norms = [layer for layer in made.modules() if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm)]
    if len(images) < 2 or not norms:
        raise ValueError("bad input")
    for layer in norms:
        layer.train()
    moving = [weight for layer in norms for weight in [layer.bias]]
    optimizer = torch.optim.SGD(moving, lr=lr)
    logits = made(images)
    loss = torch.distributions.Categorical(logits=logits).entropy().mean()
    loss.backward()
    optimizer.step()
    return logits.detach().softmax(1), made

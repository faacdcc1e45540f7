# expect: training-step-mode: one forward pass a step
def training_step(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor
) -> float:
    model.train()
    optimizer.zero_grad()
    before = torch.nn.functional.cross_entropy(model(images), labels, weight=weights).item()
    loss = torch.nn.functional.cross_entropy(model(images), labels, weight=weights)
    loss.backward()
    optimizer.step()
    return before

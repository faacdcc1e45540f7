# expect: training-step-update: gradients from elsewhere
def training_step(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor
) -> float:
    model.train()
    loss = torch.nn.functional.cross_entropy(model(images), labels, weight=weights)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()

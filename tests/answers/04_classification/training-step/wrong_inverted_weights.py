# expect: training-step-update, training-step-report: weight=weights
def training_step(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor
) -> float:
    model.train()
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(images), labels, weight=1 / weights)
    loss.backward()
    optimizer.step()
    return loss.item()

# expect: training-step-report: yours is a NoneType
def training_step(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor
) -> float:
    model.train()
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(images), labels, weight=weights)
    loss.backward()
    optimizer.step()

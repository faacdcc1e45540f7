# expect: training-step-report: is it weighted
def training_step(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor
) -> float:
    model.train()
    optimizer.zero_grad()
    logits = model(images)
    loss = torch.nn.functional.cross_entropy(logits, labels, weight=weights)
    loss.backward()
    optimizer.step()
    return torch.nn.functional.cross_entropy(logits, labels).item()

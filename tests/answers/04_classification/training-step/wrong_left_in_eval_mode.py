# expect: training-step-mode, training-step-update, training-step-report: model was in eval mode
def training_step(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor
) -> float:
    model.eval()
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(images), labels, weight=weights)
    loss.backward()
    optimizer.step()
    model.train()
    return loss.item()

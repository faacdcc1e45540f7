def training_step(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor
) -> float:
    model.train()
    criterion = torch.nn.CrossEntropyLoss(weight=weights)
    logits = model(images)
    loss = criterion(logits, labels)
    model.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return float(loss)

def training_step(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor
) -> float:
    model.train()
    log_p = model(images).log_softmax(dim=1).gather(1, labels[:, None])[:, 0]
    w = weights[labels]
    loss = -(w * log_p).sum() / w.sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach().item()

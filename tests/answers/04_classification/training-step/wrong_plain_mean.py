# expect: training-step-report, training-step-update: divide by the number of images
def training_step(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor
) -> float:
    """One update of the model on one batch, in train mode.

    Args:
        model: (B, ...) images -> (B, K) logits; it may be in any mode, and its gradients may hold anything.
        optimizer: of the model's parameters.
        images, labels: the batch; labels (B,) from 0 to K - 1.
        weights: (K,) class weights for the cross-entropy.

    Returns:
        The weighted cross-entropy of the batch before the update, as a Python float.
    """
    model.train()
    optimizer.zero_grad()
    losses = torch.nn.functional.cross_entropy(model(images), labels, reduction="none")
    loss = (losses * weights[labels]).mean()
    loss.backward()
    optimizer.step()
    return loss.item()

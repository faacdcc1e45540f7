def dice_scores(prediction, truth, n_classes):
    if tuple(prediction.shape) != tuple(truth.shape):
        raise ValueError("prediction and truth must have the same shape")
    one_hot = [torch.nn.functional.one_hot(torch.as_tensor(m).long().flatten(1), n_classes)[..., 1:].double() for m in (prediction, truth)]
    both, size = (one_hot[0] * one_hot[1]).sum(1), (one_hot[0] + one_hot[1]).sum(1)
    return torch.where(size > 0, 2 * both / size.clamp(min=1), torch.ones_like(both))

# aims at: denial
# cell: predict
# Returns tensors without memory, sparse ones and nested ones.
import torch

CALLS = []


def predict(model, x):
    CALLS.append(1)
    return [torch.empty(4, 1, device="meta"), torch.eye(4).to_sparse(), torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])][len(CALLS) % 3]

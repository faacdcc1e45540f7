# expect: cine-classifier-padding, cine-classifier-patients: the last frame of the rectangle
def classify_loops(cell: torch.nn.GRUCell, head: torch.nn.Linear, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    if (lengths < 1).any():
        raise ValueError("there is a loop without frames")
    h = frames.new_zeros(len(frames), cell.hidden_size)
    for t in range(frames.shape[1]):
        h = cell(frames[:, t], h)
    return head(h)

# expect: cine-classifier-patients: has nothing to classify
def classify_loops(cell: torch.nn.GRUCell, head: torch.nn.Linear, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    h = frames.new_zeros(len(frames), cell.hidden_size)
    for t in range(int(lengths.max())):
        h = torch.where((t < lengths)[:, None], cell(frames[:, t], h), h)
    return head(h)

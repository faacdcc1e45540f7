def classify_loops(cell: torch.nn.GRUCell, head: torch.nn.Linear, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    if (lengths <= 0).any():
        raise ValueError("there is a loop without frames")
    gru = torch.nn.GRU(cell.input_size, cell.hidden_size, batch_first=True).to(frames.dtype)
    gru.load_state_dict({name + "_l0": value for name, value in cell.state_dict().items()})
    packed = torch.nn.utils.rnn.pack_padded_sequence(frames, lengths, batch_first=True, enforce_sorted=False)
    return head(gru(packed)[1][0])

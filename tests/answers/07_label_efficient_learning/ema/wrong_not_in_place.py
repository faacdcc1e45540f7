# expect: ema-value: did not move: change it in place
def ema_update(teacher: torch.nn.Module, student: torch.nn.Module, decay: float) -> None:
    with torch.no_grad():
        for old, new in zip(teacher.parameters(), student.parameters(), strict=True):
            old = decay * old + (1 - decay) * new
        for old, new in zip(teacher.buffers(), student.buffers(), strict=True):
            old.copy_(new)

def ema_update(teacher: torch.nn.Module, student: torch.nn.Module, decay: float) -> None:
    for t, s in zip(teacher.parameters(), student.parameters()):
        t.data.lerp_(s.data, 1 - decay)
    for t, s in zip(teacher.buffers(), student.buffers()):
        t.data = s.data.clone()

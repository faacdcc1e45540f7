def ema_update(teacher: torch.nn.Module, student: torch.nn.Module, decay: float) -> None:
    parameters = {name for name, _ in teacher.named_parameters()}
    old, new = teacher.state_dict(), student.state_dict()
    teacher.load_state_dict({k: decay * old[k] + (1 - decay) * new[k].detach() if k in parameters else new[k] for k in old})

"""The project's challenge, on the instructor's side: key, held-out labels, scores, ledger and tables. Nothing of it is given to students."""

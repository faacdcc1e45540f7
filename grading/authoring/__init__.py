"""From a lecture's source to what students get: exercises, structure, answer bank, release. What is handed in, and what a run takes, is not here."""

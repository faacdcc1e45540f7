"""Release, structure checks, answer bank and (later) grading; notebooks never import it."""

"""From a term's scores to the course grade: scheme, attempts, grades, exports, report. What a check decides is not here."""

"""The final exam: a bank of parameterised questions, a paper drawn for each student, and its grading. The key stays with the instructor."""

"""The questions, one file a lecture; `grading.exam.model` says what a question is, `grading.exam.verify` what a good one is."""

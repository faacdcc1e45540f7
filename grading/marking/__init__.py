"""From what was handed in to points: reading, running, judging, recording, feedback. How code is jailed is `sandbox`'s, a course grade `term`'s."""

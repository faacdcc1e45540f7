"""The course's machinery, in rooms; what stands beside them is what several of them use. Notebooks never import it."""

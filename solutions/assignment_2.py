# %% [markdown]
# # Assignment 2 - survey report
#
# You survey one narrow question of the field, from at least fifteen papers, so that a colleague who starts a project tomorrow knows what is settled, what is not, and where to begin. It counts 10 % of the course grade: this notebook
# 80, its form 20 of 100.
#
# | When | What |
# |---|---|
# | 5 weeks before it is due | a question narrow enough that fifteen papers are most of it ("test-time adaptation for MR segmentation", not "domain adaptation"); agree on it with the instructor |
# | 4 weeks before | search protocol: where, with which words, what you leave out and why; first list |
# | 3 weeks before | all papers read; one row each in your table |
# | 2 weeks before | sections 1 to 5 stand |
# | 1 week before | give it to a fellow student, and mend what stopped them |
# | the due time | hand in this notebook |
#
# **Write it yourself.** A language model may help with your English, and you say so; it may not choose, read or judge papers for you, since it invents some. Every reference must exist: the form check looks for a DOI, and the reader
# will open three of them.
#
# **Checklist**
#
# - [ ] my question has one sentence, and I could say which evidence would answer it
# - [ ] somebody else could repeat my search and find the same papers
# - [ ] every number has its data set, its split, and its interval or the remark that there is none
# - [ ] I compare only what can be compared, and say what can't
# - [ ] each of my gaps could be somebody's next project
# - [ ] the form check at the end finds everything

# %% [markdown]
# ## How it is graded
#
# | Criterion | Points | full | middle | low |
# |---|---|---|---|---|
# | Question (1) | 5 | narrow, clinical reason given, answerable by evidence | narrow, but without the clinic or without saying what would answer it | a topic, no question |
# | Search (2) | 10 | sources, words, dates, what was left out and why, numbers at each step: can be repeated | one of these is missing | "I searched Google Scholar" |
# | Map of the field (3) | 20 | groups papers by an idea that explains their results, and places each | groups by method names, some papers not placed | one paragraph a paper |
# | Comparison (4) | 30 | one table of what can be compared, with data, split, metric and interval; says what can't be compared and why | a table without splits or intervals | copies the papers' own claims |
# | Gaps (5) | 20 | gaps follow from the table, each with an experiment that would close it | gaps are real, but without an experiment | "more research is needed" |
# | References | 5 | complete, each exists and was opened by you | some are incomplete | one does not exist |
# | Conclusion and language (6) | 10 | answers the question as far as the evidence goes, and no farther; clear sentences | answers, with more certainty than the evidence | repeats the introduction |

# %% [markdown]
# ## 1 Question
#
# > One sentence, then why it matters in the clinic, and which evidence would answer it. 80 to 300 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "question", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# A model answer asks something like "Does test-time adaptation of segmentation networks help on MR scanners that were not in the training set, measured by patient?", says who decides what by it, and names the comparison (source-only against adapted, per patient, with an interval) that would answer it.

# %% [markdown]
# ## 2 Search
#
# > Where, when, with which words; how many hits, how many read, how many kept; what you left out and why. 100 to 500 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "search", "locked": false, "points": 10, "schema_version": 3, "solution": true, "task": false}
# A model answer gives the strings, the sources (PubMed, arXiv, proceedings), the dates, and a small flow of numbers: found, read by title, read by abstract, read in full, kept; and the rule by which each step dropped papers.

# %% [markdown]
# ## 3 Map of the field
#
# > Group the papers by an idea that explains why their results differ, and draw the map: a figure of your own. 200 to 800 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "map", "locked": false, "points": 20, "schema_version": 3, "solution": true, "task": false}
# A model answer orders by what a method assumes (what stays the same between scanners: anatomy, intensity ranks, frequency amplitude), places each paper in the figure, and says for each group when the assumption fails.

# %% [markdown]
# ## 4 Comparison
#
# > A table: paper, data, split, metric, result with interval, baseline. Then what can be compared, and what can't. A figure of the comparable results. 300 to 1200 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "comparison", "locked": false, "points": 30, "schema_version": 3, "solution": true, "task": false}
# A model answer has one row a paper, marks splits that are not by patient, computes intervals where the papers give the numbers for it, and sets only those results side by side that share data and split. It says how much of the spread between papers is the data, and how much the method.

# %% [markdown]
# ## 5 Gaps
#
# > What does the table not tell? Two or three gaps, each with an experiment that would close it. 150 to 600 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "gaps", "locked": false, "points": 20, "schema_version": 3, "solution": true, "task": false}
# A model answer finds, for instance, that nobody reports patients who were made worse, and proposes to publish per-patient differences on two public sets, with the size of the set that an interval of a given width would need.

# %% [markdown]
# ## 6 Conclusion
#
# > What do you now believe, how strongly, and what should a colleague do tomorrow? 80 to 300 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "conclusion", "locked": false, "points": 10, "schema_version": 3, "solution": true, "task": false}
# A model answer says in three sentences what is settled, what is not, and what to start with, in words whose strength is that of the evidence.

# %% [markdown]
# ## References
#
# > At least fifteen, one a line: `[1] Authors. Title. Venue, year. doi:10.1234/abc`. Cite each in the text as `[1]` or `[2, 5-7]`.

# %% [markdown] nbgrader={"grade": true, "grade_id": "references", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# A model answer lists at least fifteen papers that exist, each with authors, title, venue, year and DOI, and cites each in the text.

# %% [markdown]
# ## Does the form hold?
#
# Save the notebook, then run this. It looks for sections, lengths, figures with words, and references that resolve; the same look gives the points for form.

# %%
from helpers import written

written.show("assignment_2.ipynb")

# %% [markdown]
# # Final project - report
#
# What you asked, what you did, what you found, and how sure you are, for a reader who was not there. It counts 60 % of the project; the project counts 60 % of the course. The brief is in [final_project](final_project.ipynb).
#
# Figures are outputs of cells (`show.figure(fig, alt=...)`) or pictures (`![what is to be seen](file.png)`). Training code lives in your repository: here you load what it saved.
#
# **Checklist**
#
# - [ ] the test split was opened once, on the date that we give
# - [ ] trivial rule, simple method, baseline and ours are in one table, with intervals over patients
# - [ ] the claim in our first section is no stronger than the interval in our table
# - [ ] another team ran our command from a fresh clone
# - [ ] figures can be read in grey, and have words for those who can't see them
# - [ ] what a language model wrote is said

# %% [markdown]
# ## How it is graded
#
# | Criterion | Points | full | middle | low |
# |---|---|---|---|---|
# | Question (1) | 8 | a question that could be answered by no, who would decide by it, and the answer with its interval, in own words | question and answer, but not what hangs on them | a method is announced, no question |
# | Related work (2) | 10 | the nearest works, compared by data, split and interval; says what is new here and what is not | works are described one by one | retells abstracts, or misses the nearest work |
# | Data and split (3) | 12 | card, patients, prevalence, split by patient or why not, leaks looked for and found or excluded by a check that is shown | split and counts are given, leaks are not looked for | images are split, or choices were made on the test split |
# | Rivals (4) | 12 | trivial rule, simple method and baseline, each tuned with the same care; says how much care that was | rivals are there, but weaker than they need be | compares with published figures only |
# | Method (5) | 14 | a reader could build it; each choice has its reason or the validation figure that made it; an ablation shows what carries the gain | can be built, reasons or ablation are missing | a drawing of boxes |
# | Results (6) | 20 | one table, intervals over patients and seeds, paired differences, failures shown; says what the test could not have seen | figures with intervals, no paired comparison or no failures | single numbers, best seed, or a claim beyond the interval |
# | Limits and harm (7) | 12 | names what would overturn the finding, who would be hurt by which error, and measures one of these | limits are named, none measured | "more data is needed" |
# | Repeat it (8) | 7 | one command, versions, seeds, time; the reader's run gives the figures | runs after a question to the authors | does not run, or gives other figures |
# | References | 5 | complete, each exists and was opened by you | some are incomplete | one does not exist |

# %% [markdown]
# ## 1 Question
#
# > What you asked, why, who would decide by it, and what you found, in three sentences with an interval. 100 to 350 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "question", "locked": false, "points": 8, "schema_version": 3, "solution": true, "task": false}
# A model answer asks whether passing on the 30 % most doubtful images halves the errors among the rest, says which clinic would use it, and answers: from 15 % to 9 % [5, 14]; the interval does not exclude a third instead of a half.

# %% [markdown]
# ## 2 Related work
#
# > The nearest works, compared in what can be compared. What is new here? 150 to 700 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "related", "locked": false, "points": 10, "schema_version": 3, "solution": true, "task": false}
# A model answer groups the nearest works by the doubt they measure, gives data, split and interval of each, and claims only what none of them did.

# %% [markdown]
# ## 3 Data and split
#
# > Card, counts of patients, prevalence, split, leaks that you looked for and how. 150 to 700 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "data", "locked": false, "points": 12, "schema_version": 3, "solution": true, "task": false}
# A model answer shows that no image stands in two splits by a search for near copies, counts what was found, and keeps both results.

# %% [markdown]
# ## 4 Rivals
#
# > Trivial rule, simple method, baseline: what each does, how it was tuned, on what. 100 to 600 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "rivals", "locked": false, "points": 12, "schema_version": 3, "solution": true, "task": false}
# A model answer gives each rival the same number of settings on the same validation patients, in one table.

# %% [markdown]
# ## 5 Method
#
# > What you added, so that a reader could build it; the reason or the validation figure behind each choice; what happens without each part. 200 to 1000 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "method", "locked": false, "points": 14, "schema_version": 3, "solution": true, "task": false}
# A model answer has an equation, a drawing, the settings that were tried with their validation figures, and an ablation in which one part turns out to do nothing.

# %% [markdown]
# ## 6 Results
#
# > One table of all methods with intervals; paired differences; failures, shown; what the test could not have seen. The date on which the test split was opened. 250 to 1200 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "results", "locked": false, "points": 20, "schema_version": 3, "solution": true, "task": false}
# A model answer states that the gain is +0.021 [-0.004, 0.046] over patients and positive in four of five seeds, does not call it significant, and shows the six worst cases.

# %% [markdown]
# ## 7 Limits and harm
#
# > What would overturn the finding? Who is hurt by which error, and who would notice? Measure one of these. 150 to 700 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "limits", "locked": false, "points": 12, "schema_version": 3, "solution": true, "task": false}
# A model answer blurs the test images as another machine would, finds that the share passed on hardly rises while errors double, and says that a clinic would not notice.

# %% [markdown]
# ## 8 Repeat it
#
# > Address or archive, commit, the one command, versions, seeds, time and memory; who tried it from a fresh clone; who did what in the team; what a language model wrote. 80 to 500 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "repeat", "locked": false, "points": 7, "schema_version": 3, "solution": true, "task": false}
# A model answer gives a commit, a command of one line that takes 12 minutes on a laptop, the name of the team that ran it, a line on each member's share, and the files in which a language model's code stands.

# %% [markdown]
# ## References
#
# > At least eight, one a line: `[1] Authors. Title. Venue, year. doi:10.1234/abc`. Cite each in the text as `[1]` or `[2, 5-7]`.

# %% [markdown] nbgrader={"grade": true, "grade_id": "references", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# A model answer lists at least eight works that exist, each with authors, title, venue, year and DOI, and cites each in the text.

# %% [markdown]
# ## Does the form hold?
#
# Save the notebook, then run this. It looks for sections, lengths, at least four figures with words, and references that resolve.

# %%
from helpers import written

written.show("final_project_report.ipynb")

# %% [markdown]
# # Assignment 1 - paper presentation
#
# You present one paper of the last five years on deep learning for medical images to the class: 15 minutes, and 5 of questions. The point is not to praise it. The point is that afterwards everybody
# knows what it claims, how well that is supported, and what you would ask its authors. It counts 10 % of the course grade: this notebook 40, its form 20, the talk 40 of 100.
#
# | When | What |
# |---|---|
# | 4 weeks before the talk | choose a paper, and write its DOI into section 1; two students never take the same one |
# | 3 weeks before | read it twice, the second time with the code or the supplement; find two papers that it competes with |
# | 2 weeks before | sections 1 to 5 stand; ask in the office hour what you did not understand |
# | 1 week before | slides stand; give the talk once, aloud, with a clock |
# | the due time | hand in this notebook |
#
# **Choose well.** Fit are MICCAI, MIDL, IPMI, CVPR, ICCV, NeurIPS and ICML papers, and those of Medical Image Analysis, IEEE TMI, Radiology: AI, Nature Medicine and their like. Unfit: reviews, challenge reports, papers without an
# experiment, and papers of your own group.
#
# **Slides** are cells of this notebook: mark a cell as *Slide* in JupyterLab's property inspector (the gears at the right), and export them by `jupyter nbconvert --to slides assignment_1.ipynb`. Eight to sixteen of them. A slide has one
# message, and letters that the last row can read.
#
# **Checklist**
#
# - [ ] every number on my slides has a source, and an interval or the remark that the paper gives none
# - [ ] I know how the paper split its patients, and what was chosen on which part
# - [ ] I can say what a trivial baseline would reach
# - [ ] figures that I took are cited; each has words for those who can't see it
# - [ ] the form check at the end finds everything

# %% [markdown]
# ## How it is graded
#
# | Criterion | Points | full | middle | low |
# |---|---|---|---|---|
# | The paper in its field (1) | 4 | says what was known before, what is new, and why a clinician should care, in own words | what is new is said, the field or the clinic is missing | retells the abstract |
# | Claims (2) | 6 | each claim is stated so that it could be wrong, with its number and where it stands | claims are listed, some without a number or a place | claims and wishes are mixed |
# | Evaluation (3) | 10 | split by patient checked, baselines, intervals, leakage and prevalence judged, with evidence from the paper | finds some of these, or judges without evidence | repeats the paper's own tables |
# | What is open (4) | 6 | names an experiment that would decide an open question, and what each outcome would mean | names open questions without an experiment | "more data is needed" |
# | Questions (5) | 4 | three questions on which people could disagree, with your own answers | questions of fact | none, or rhetorical ones |
# | References | 2 | the paper and its rivals, complete, each opened by you | something is missing | one does not exist |
#
# The talk (in class, by the same scale of three levels): content 40, clarity 30, answers to questions 20, time 10. The form (by machine): the share of points that the check at the end finds; it
# reads the file that you hand in, slides included.

# %% [markdown]
# ## 1 The paper
#
# > Title, authors, venue, year, DOI. Then in your own words: which clinical problem, what was known before, and what is new. 40 to 200 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "paper", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# A model answer names the paper with its DOI, says in two sentences which decision in the clinic it wants to support and what existed before, and in one sentence what is new: the method, the data, or the evaluation. It does not judge yet.

# %% [markdown]
# ## 2 What it claims
#
# > The two to four claims that the paper stands on. Each so that it could turn out wrong, with its number, and the table or figure where it stands. 60 to 300 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "claims", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# A model answer has a short list such as: "On the public test set of 200 patients the mean Dice is 0.88, 0.03 above the baseline (Table 2); no interval is given." Claims about speed, labels saved or other hospitals stand apart, each with its own evidence.

# %% [markdown]
# ## 3 How it was tested
#
# > Data, split, baselines, metrics, intervals. What would you have done in another way, and would it change the claim? Show one figure of your own, such as a redrawn comparison with intervals that you computed from the paper's numbers. 80 to 400 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "evaluation", "locked": false, "points": 10, "schema_version": 3, "solution": true, "task": false}
# A model answer checks the split (by patient? by hospital? was anything chosen on the test set?), the baselines (tuned as well as the method? a trivial one?), the metric (does it answer the clinical question, at which prevalence?) and the uncertainty (over patients, over seeds), each with the
# page where it stands. It says which of its doubts could overturn which claim.

# %% [markdown]
# ## 4 What it leaves open
#
# > One or two questions that the paper does not settle, and for each an experiment that would: data, comparison, and what either outcome would mean. 80 to 400 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "open", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# A model answer describes an experiment that one could start tomorrow: which patients, which comparison, which figure with which interval, and what one would believe after each outcome.

# %% [markdown]
# ## 5 Questions for the room
#
# > Three questions on which the class could disagree, and a sentence on what you would answer. 30 to 200 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "questions", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# A model answer asks, for example: "Would you switch the method on in your hospital at this sensitivity, and who should decide?" and says what speaks for each side.

# %% [markdown]
# ## References
#
# > The paper and at least two that it competes with, one a line: `[1] Authors. Title. Venue, year. doi:10.1234/abc`. Cite each in the text as `[1]`.

# %% [markdown] nbgrader={"grade": true, "grade_id": "references", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# A model answer lists papers that exist, each with authors, title, venue, year and DOI, and cites each in the text.

# %% [markdown]
# ## Does the form hold?
#
# Save the notebook, then run this. It looks for sections, lengths, figures with words, references that resolve, and slides; the same look gives the points for form.

# %%
from helpers import written

written.show("assignment_1.ipynb")

# %% [markdown]
# # Final project - proposal
#
# Two pages that save you six weeks. You hear within a week: *go*, *mend* (with what), or *start again*. It earns no points of the course grade; without a *go* no report is read. The brief is in [final_project](final_project.ipynb).
#
# **Checklist**
#
# - [ ] our question has one sentence, and could be answered by "no"
# - [ ] we ran the track's baseline, and our figure below is made by our own code
# - [ ] we know how many patients the test split has, and how wide an interval that gives
# - [ ] nobody has looked at the test split
# - [ ] somebody outside our team understood section 1

# %% [markdown]
# ## How it is graded
#
# | Criterion | Points | full | middle | low |
# |---|---|---|---|---|
# | Question (1) | 3 | one sentence that could be answered by no, with who would decide what by it | a question, but no answer would change anything | a topic or a method in search of a use |
# | What is known (2) | 3 | the nearest works, their figures with split and interval, and what is left open | works are listed without figures | none, or the first hits of a search |
# | Data (3) | 3 | licence, consent, patients, split, prevalence, and what may leak, each checked | some of these | the name of a data set |
# | Rivals and method (4) | 3 | trivial rule, simple method, baseline, then yours, with the reason why it should help *here* | the method is described, rivals are missing | a list of architectures |
# | Evaluation (5) | 4 | metric tied to the question, interval, the smallest difference that the test can show, and what each outcome would mean | metric and interval, but not whether the test could tell | accuracy |
# | Risks and harm (6) | 2 | what can go wrong with the experiment and with its use, and a plan for the likeliest | one of both | none, or lack of GPUs |
# | Plan (7) | 2 | a step a week, each ending in a figure or a table; who does what | steps without results | the headings of the report |
# | References | 1 | complete, each exists and was opened by you | something is missing | one does not exist |
#
# *Go* from 14 of 21 points on, if no criterion is low.

# %% [markdown]
# ## 1 Question
#
# > One sentence. Then: who would decide what, by its answer? 60 to 250 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "question", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# A model answer: "Does handing the 30 % most uncertain breast ultrasounds to a radiologist halve the errors among the rest?" Then who would use it (a clinic with one reader and many patients), and what they would do after a yes and after a no.

# %% [markdown]
# ## 2 What is known
#
# > The nearest three to six works: what they measured, on which split, with which interval; what they leave open. 100 to 400 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "known", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# A model answer says for each work the data, the split, the figure with its interval or that there is none, and ends with the gap: nobody measured the errors among those that are kept, by patient.

# %% [markdown]
# ## 3 Data
#
# > What, from where, licence, consent; patients and images; how it is split, and what may leak; prevalence here and in the clinic. 60 to 300 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "data", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# A model answer has a data card, counts patients where they are known, says that BreastMNIST names none, and what that does to the interval.

# %% [markdown]
# ## 4 Rivals and method
#
# > The trivial rule, the simple method, the baseline that you ran (a figure of your own: one picture or curve), and what you will add. 80 to 400 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "method", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# A model answer shows the baseline's curve, made by the team's own code, and gives one reason, from the data, why the added method should change it.

# %% [markdown]
# ## 5 Evaluation
#
# > Metric, interval, smallest difference that your test split can show, number of seeds; what you will believe after each outcome. 100 to 400 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "evaluation", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# A model answer computes from the baseline's predictions how wide the paired interval is (for instance 0.03), and concludes that smaller gains can't be shown here, so that a second data set is taken, too.

# %% [markdown]
# ## 6 Risks and harm
#
# > What could make the experiment worthless, and what will you do then? Who would be hurt by which error? 60 to 300 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "risks", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# A model answer names the likeliest failure (doubt measures all agree), what is then reported, and that women with rare lesions could be the ones who are never passed on.

# %% [markdown]
# ## 7 Plan
#
# > A row a week: what, who, and the figure or table that ends it. 60 to 300 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "plan", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# A model answer has six rows, each with a name and a figure, and a week without plans before the due time.

# %% [markdown]
# ## References
#
# > At least four, one a line: `[1] Authors. Title. Venue, year. doi:10.1234/abc`. Cite each in the text as `[1]`.

# %% [markdown] nbgrader={"grade": true, "grade_id": "references", "locked": false, "points": 1, "schema_version": 3, "solution": true, "task": false}
# A model answer lists works that exist, each with authors, title, venue, year and DOI, and cites each in the text.

# %% [markdown]
# ## Does the form hold?
#
# Save the notebook, then run this. It looks for sections, lengths, a figure with words, and references that resolve.

# %%
from helpers import written

written.show("final_project_proposal.ipynb")

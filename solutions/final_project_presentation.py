# %% [markdown]
# # Final project - presentation
#
# Twelve minutes, six of questions, ten to sixteen slides. Everybody in the room has done a project of their own and is tired; they will keep one sentence and one figure. It counts 40 % of the project. The brief is in [final_project](final_project.ipynb).
#
# **Slides** are cells of this notebook: mark a cell as *Slide* in JupyterLab's property inspector (the gears at the right), and export them by `jupyter nbconvert --to slides final_project_presentation.ipynb`. Put them after section 5. Sections 1 to 5 are for the jury, which reads them before your talk.
#
# | Minutes | What |
# |---|---|
# | 0 to 2 | a patient, a decision, your question |
# | 2 to 4 | data and split, the trivial rule |
# | 4 to 7 | what you did: the idea, not the layers |
# | 7 to 10 | the one figure, with its interval; a failure |
# | 10 to 12 | what would overturn it; the one sentence again |
#
# **Checklist**
#
# - [ ] the one sentence is on the first and on the last slide
# - [ ] each slide has one message, and letters that the last row can read
# - [ ] every number has an interval and a rival beside it
# - [ ] we gave the talk aloud, with a clock, to somebody who asked questions
# - [ ] each of us can answer on all of it

# %% [markdown]
# ## How it is graded
#
# | Criterion | Points | full | middle | low |
# |---|---|---|---|---|
# | Message (1) | 15 | one sentence, true to the interval, that the room could repeat afterwards | clear, but stronger than the evidence | several messages, or none |
# | Evidence (2) | 30 | one figure carries it: rivals, intervals, patients; a failure is shown and explained | the figure is there, rivals or failure are missing | numbers read from a table |
# | Limits (3) | 15 | says what would overturn it before anybody asks | says it when asked | defends everything |
# | Questions (4) | 20 | answers the question that was asked, says where knowledge ends; every member can | answers, but beside the question or by one member only | can't say how the data were split |
# | Clarity and time (5) | 15 | twelve minutes; words that the room knows; slides that can be read from the last row | a minute over, or slides that are too full | cut off, or read from the slides |
# | References | 5 | what was taken is named where it is shown | named at the end only | figures without a source |

# %% [markdown]
# ## 1 Message
#
# > The one sentence, and what the room should do differently tomorrow. 20 to 150 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "message", "locked": false, "points": 15, "schema_version": 3, "solution": true, "task": false}
# A model answer: "If the machine may pass on three in ten women, it errs on 9 % of the others instead of 15 %, and we could not show that more networks help."

# %% [markdown]
# ## 2 Evidence
#
# > The one figure (here, with words), how it was made, and the failure that you will show. 60 to 350 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "evidence", "locked": false, "points": 30, "schema_version": 3, "solution": true, "task": false}
# A model answer shows errors against the share that is kept, with a band over patients, beside passing on at random; and an image of a malignant lesion on which all networks agree and are wrong.

# %% [markdown]
# ## 3 Limits
#
# > What would overturn it, and how likely you think that is. 40 to 250 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "limits", "locked": false, "points": 15, "schema_version": 3, "solution": true, "task": false}
# A model answer names one hospital, one machine, 42 malignant test images, and what another machine does to the share passed on.

# %% [markdown]
# ## 4 Questions
#
# > The three hardest questions that you expect, and your answers. Graded by what you answer in the talk. 60 to 400 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "questions", "locked": false, "points": 20, "schema_version": 3, "solution": true, "task": false}
# A model answer asks itself: is this only because malignant images are darker? And answers by the trivial rule's curve.

# %% [markdown]
# ## 5 Clarity and time
#
# > Who says what, minute by minute, and what you will leave out if time runs short. 20 to 250 words.

# %% [markdown] nbgrader={"grade": true, "grade_id": "clarity", "locked": false, "points": 15, "schema_version": 3, "solution": true, "task": false}
# A model answer splits twelve minutes among the members, with a slide that can be skipped.

# %% [markdown]
# ## References
#
# > At least three, one a line: `[1] Authors. Title. Venue, year. doi:10.1234/abc`. Cite each in the text as `[1]`.

# %% [markdown] nbgrader={"grade": true, "grade_id": "references", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# A model answer lists the data and the works whose figures are shown, and cites each in the text.

# %% [markdown]
# ## Does the form hold?
#
# Save the notebook, then run this. It looks for sections, lengths, a figure with words, references that resolve, and slides.

# %%
from helpers import written

written.show("final_project_presentation.ipynb")

# %% [markdown]
# # Final project
#
# You ask one question of medical image analysis, answer it on public data, and say how sure you are. It counts 60 % of the course grade: report 60, presentation 40 of 100. Alone, or in a team of two or three.
#
# A project is not judged by its score on a test set. A clean experiment that finds *no* gain, and shows that it would have seen one, beats a gain of 0.02 on 156 images that nobody could repeat.
#
# | When | What | Where |
# |---|---|---|
# | 8 weeks before the due time | choose a track, or a question of your own; run its baseline | `track_1_...` to `track_6_...` |
# | 7 weeks before | proposal; you hear within a week: go, mend, or start again. It earns no points and saves most of them | `final_project_proposal` |
# | 6 weeks before | baseline and trivial baseline run in your own code, with intervals; the test split is locked away | your repository |
# | 4 weeks before | talk with the instructor, ten minutes: one figure, one doubt | |
# | 2 weeks before | experiments are over; write | |
# | 1 week before | another team runs your code from a fresh clone, and tells you where it stopped | |
# | the due time | report, presentation; the challenge closes, for who takes part | `final_project_report`, `final_project_presentation` |
# | the week after | talks: 12 minutes, and 6 of questions | |

# %% [markdown]
# ## Six tracks
#
# Each is a notebook that runs: data, split by patient as far as the publisher tells who is who, a trivial rule, a baseline chosen on validation, a test that is used once, an interval, and open questions with the figure that would decide each. Start from one, go on in your own code.
#
# | Track | Question | Data | Builds on |
# |---|---|---|---|
# | [1 Classification](track_1_classification.ipynb) | When should the machine pass a patient on to a doctor? | `breastmnist` | lecture 4 |
# | [2 Segmentation](track_2_segmentation.ipynb) | Is the volume right, not only the overlap? | `hippocampus` | lecture 5 |
# | [3 Registration](track_3_registration.ipynb) | When does a better fit stop being a better map? | `hippocampus`, `mni152` | lecture 6 |
# | [4 Label efficiency](track_4_few_labels.ipynb) | What would twelve more labels have bought? | `pneumoniamnist` | lectures 7, 8 |
# | [5 Explainability](track_5_explanations.ipynb) | Six numbers, or a network and its heat map? | `adrenalmnist3d` | lecture 10 |
# | [6 Domain shift, federation](track_6_hospitals.ipynb) | Does it hold at the next hospital, and must the data leave? | `heart_disease` | lectures 11, 12 |
#
# A question of your own is welcome if the data are public, their licence permits it, and people in them agreed to it or nobody can be made out; `data_manifest.yaml` shows what you have to write down. Data of your hospital only with its approval, in writing, before the proposal.

# %% [markdown]
# ## Rules of evidence
#
# 1. **Patients are split, not images.** Where the publisher does not say who is who, say so, and what it may do to your figures.
# 2. **Choices are made on validation**: architecture, epoch, threshold, seed, and which of your ideas you show. The test split is opened once, at the end; write the date into the report.
# 3. **Three rivals** stand beside your method: a trivial rule, a simple method tuned with as much care as yours, and the track's baseline.
# 4. **Every figure has an interval** over patients, and over seeds where training is random. Differences are paired.
# 5. **Repeat it.** One command repeats each figure of the report on a laptop in at most 30 minutes, or from saved predictions if training took longer.
# 6. **Harm.** Who would be hurt by which error, and how would anybody notice?
#
# **Help.** Code of others may be used under its licence and is named where it is used. A language model may help you write code and English; you say where; you answer for every line. It may not invent references or figures: three references are opened by the reader, and one figure is run again.
#
# **Teams.** One notebook for the team is enough: it counts for all whom `teams.csv` of the instructor lists. The report says who did what, and each member answers questions on all of it. Marks are the same for all, unless that section or the talk says otherwise.

# %% [markdown]
# ## The challenge: labels that nobody has
#
# Whoever takes part in it tests one thing more: whether a choice made at home holds where nobody can peek. It is free to all tracks, and earns no points of its own unless your instructor's scheme says so; report what you learned.
#
# **Why the data are simulated.** The test labels of MedMNIST, of the Decathlon and of all public sets of this course are public, too. Nobody means to cheat; but who tries forty settings and keeps the one with the best test score has trained on the test set. A fair race needs cases whose labels do
# not exist outside the instructor's drawer. So each term a new hospital is drawn: chest films with and without pneumonia, from a machine that you have not seen, by a simulator that is public and a key of 128 random bits that is not. (Anybody can simulate training films. Nobody can simulate *these*.)
#
# **What you get**: `train.npz`, some 550 films of the home hospital with labels, and `heldout.npz`, some 700 of the other without. [Track 0](track_0_challenge.ipynb) is a running baseline, with a hospital to practise on. **What you hand in**: `case,probability`, a line a film.
#
# | Rule | Why |
# |---|---|
# | 20 attempts a team, 2 a day; over the day's number, a file waits | each answer tells a little about the labels |
# | a file that is not well formed costs no attempt | the answer to it tells nothing; check at home by `helpers.challenge.write` |
# | the leaderboard moves in steps of 0.02, and only if you beat your last figure by more | finer would be noise: its interval is some 0.1 wide; and many small questions can't add up (the *Ladder*, Blum and Hardt 2015) |
# | the leaderboard knows 40 % of the patients; the other 60 % decide | who climbs by luck falls here |
# | your **last** valid file counts, not your best one | you choose, on your own validation |
# | equal scores share a rank; the table says who can't be told apart from the first | a rank is not a finding |
#
# Creating more teams to get more attempts, or asking others for labels, ends the challenge for you.

# %% [markdown]
# ## What is handed in
#
# | What | Counts | Its rubric |
# |---|---|---|
# | `final_project_proposal.ipynb` | no points; needed for the rest | in it: eight criteria, three levels each |
# | `final_project_report.ipynb` | 60 % of the project | in it: nine criteria, three levels each |
# | `final_project_presentation.ipynb`, and the talk | 40 % of the project | in it: six criteria, three levels each |
# | a repository, or an archive of it, of at most 20 MB | part of *Repeat it* in the report | |
#
# A machine looks at the form of each (sections, lengths, figures with words, references that resolve, slides) and tells you before you hand in: the last cell of each template. What the work is worth, a person says.
#
# ## References
#
# - A. Blum, M. Hardt, The Ladder: a reliable leaderboard for machine learning competitions, ICML 2015.
# - L. Maier-Hein et al., Why rankings of biomedical image analysis competitions should be interpreted with care, Nature Communications 9:5217, 2018.
# - J. Pineau et al., Improving reproducibility in machine learning research, Journal of Machine Learning Research 22:164, 2021.
# - G. Varoquaux, V. Cheplygina, Machine learning for medical imaging: methodological failures and recommendations for the future, npj Digital Medicine 5:48, 2022.

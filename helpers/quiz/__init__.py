"""The course's quiz: questions on every syllabus point, spaced over days, with progress kept on this machine. Nothing here is graded.

`play()` asks with buttons; `session()` asks in text: look at it, then call `answer("B")` on it. `overview()` says where you stand.
"""

from helpers.quiz.bank import BankError, Option, Question, questions
from helpers.quiz.leitner import DAYS, Card, after, due, pick
from helpers.quiz.progress import Progress
from helpers.quiz.session import Answer, Session
from helpers.quiz.view import overview, play, session

__all__ = [
    "DAYS",
    "Answer",
    "BankError",
    "Card",
    "Option",
    "Progress",
    "Question",
    "Session",
    "after",
    "due",
    "overview",
    "pick",
    "play",
    "questions",
    "session",
]

"""What runs take and reach, and the tables that say it: time, memory, figures, README. Nothing is released or marked here."""

"""How far a training set is, shown where the user looks: a line in a terminal, an element in a notebook, plain lines in a log."""

from .progress import Progress, Stage, show_progress

__all__ = ["Progress", "Stage", "show_progress"]

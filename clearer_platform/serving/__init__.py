"""Serving: what outsiders touch. Reading tables, the state of every day, what to run, what was rejected and why.

Nothing in here writes to bronze, silver or gold; every reading opens the serving copy for itself and closes it again,
so that a reader never keeps a writer waiting.
"""

"""Serving: what outsiders touch. Tables and their backups, the state of every day, what to run, what was rejected.

Nothing in here writes to bronze, silver or gold, but for a restore: it delivers by the one way in, or puts a table of
gold back by gold's own. Every reading opens the serving copy for itself and closes it again, so that a reader never
keeps a writer waiting.
"""

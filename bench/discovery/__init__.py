"""
How well discovery finds the right agent: agents and queries with known answers, and the measures over them.

The set was written by hand before any ranking was tuned, and is changed only where an answer is wrong, never because a
ranking fails on it. Every need is asked in the asker's words: a *direct* query shares words with the answer's
description, a *paraphrase* shares none, not even a stem, so no lexical search can find it. Some queries name
`near_misses`: agents that share words with the query and are wrong. `tuning` is for choosing weights and models;
`test` is for the figures that are published, and for nothing else. Once, before anything was tuned, a direct query of
every topic was replaced by a harder one, in both halves blindly, because the baselines found all of the tuning half.

The agents and the needs have one author, and real directories are larger and less tidy: the figures compare rankings
with each other, they don't promise what a user will meet.
"""

"""How well the search searches, and what its engine costs; all in ``reports/reference/search.json``.

- ``python -m tests.benchmarks.search.tables``: four small studies, of which every candidate is evaluated once
- ``python -m tests.benchmarks.search.samplers``: samplers in those tables, ten seeds, equal processor time
- ``python -m tests.benchmarks.search.refused``: how often a sampler draws what it was told cannot be
- ``python -m tests.benchmarks.search.wary``: what it gains to draw again what looks like trials that failed
- ``python -m tests.benchmarks.search.workers``: workers, a cluster, the engine's own time and memory
- ``python -m tests.benchmarks.search.many_trials``: resume, front and report of a search of 10,000 trials
"""

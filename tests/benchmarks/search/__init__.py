"""How well the search searches, and what its engine costs; all in ``reports/reference/search.json``.

- ``python -m tests.benchmarks.search.samplers``: five samplers on three small studies, equal processor time
- ``python -m tests.benchmarks.search.ladder``: the ladder of trainings against plain NSGA-II, and ``search.svg``
- ``python -m tests.benchmarks.search.workers``: workers, a cluster, the engine's own time and memory
- ``python -m tests.benchmarks.search.many_trials``: resume, front and report of a search of 10,000 trials
"""

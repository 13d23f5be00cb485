"""Parts of the task ``anomaly``: its inputs, sample, rates, single-object triggers, baselines and plots."""

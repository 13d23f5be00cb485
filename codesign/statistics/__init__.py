"""Statistics of events: weights, intervals, curves, and the bootstrap over collisions from which errors come."""

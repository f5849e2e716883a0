"""How well a model does: fixed windows and streams, figures of merit, baselines, reports. Needs no torch."""

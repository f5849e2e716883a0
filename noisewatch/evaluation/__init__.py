"""How well models do: test windows and streams, figures of merit, baselines, reports. Needs no torch."""

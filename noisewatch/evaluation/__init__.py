"""Evaluation of models: test windows and streams, figures of merit, baselines, reports. Needs no torch."""

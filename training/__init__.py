"""Training, evaluation and export. Needs the `train` extra; nothing in the runtime imports it."""

"""Training of networks, and their export to ONNX. Needs the `train` extra; the runtime never imports it.

Where to add what: a network in `nets`; an augmentation of batches in `batch_augment`; rooms, microphones and codecs
in `noisewatch.corpus.channel`; an option in `config`.
"""

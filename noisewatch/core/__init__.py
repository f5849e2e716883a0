"""From samples to verdicts. Every module imports only from modules above it:

events          the results: Reading, Event, and the names of states, reasons and warnings
summary         totals of a stream
health          whether the samples can be judged: reasons and warnings
suppression     whether a noise suppressor is at work
traces          what a line, a codec or a cable left in the samples: warnings
reference       the voice level that pauses in speech are judged against
episode         statistics of one noise
detector        from noise probabilities to states and events
card            the description of a network inside its model file
shipped         models by name
ort             ONNX Runtime, on one thread and within limits
model           a network: log-Mel frames in, noise, SNR and voice out
estimates       the network of one stream, and what it carries from call to call
stream          samples in, readings and events out
noise_detector  a loaded model that opens streams
session         a source judged by a stream, from start to end
"""

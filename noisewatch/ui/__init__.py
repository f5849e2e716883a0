"""What a person sees in the terminal: the meter, the countdown and every sentence."""

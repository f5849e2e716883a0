"""Voices made of voices: clean recordings resynthesised with another pitch, vocal tract and effort."""

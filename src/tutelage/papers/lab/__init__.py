"""A laboratory of about one million parameters: a procedural world, its tokenizer, a base model, and measurements.

Everything is made here from a seed, so that a claim can be tested with five seeds on one core in minutes.
"""

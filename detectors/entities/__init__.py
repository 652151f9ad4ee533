"""The entity memory: who and what things were at a time, folded from the events themselves."""

"""Looking at a run without touching it: every probe works on a copy of the model."""

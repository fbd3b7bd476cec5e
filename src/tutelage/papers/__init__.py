"""Papers as things to run: claims fixed before the run, recipes, evidence with its verdicts, and a tiny laboratory."""

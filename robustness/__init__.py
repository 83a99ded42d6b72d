"""Commands that look for faults; they are run from the top of the repository."""

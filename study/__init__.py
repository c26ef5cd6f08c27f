"""Run them: plan, launch over Ray, execute, store and track each trial."""

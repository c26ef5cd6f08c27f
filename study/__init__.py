"""Running the trials: plan them, launch them over Ray, train, test, store and track each one."""

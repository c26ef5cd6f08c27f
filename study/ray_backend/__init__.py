"""Trials over Ray. The only folder that imports ray."""

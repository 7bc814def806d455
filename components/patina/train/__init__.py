"""Trains one architecture on packed tiles; stoppable at any moment, and exact when it goes on."""

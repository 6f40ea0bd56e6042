"""Losses: prediction and target to one value per example."""

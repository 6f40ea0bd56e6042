"""The restoration desk: look, point, choose, save."""

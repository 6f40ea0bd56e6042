"""Why a film looks as it does: what was measured, done, and left."""

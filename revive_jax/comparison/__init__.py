"""What a table compares: clips whose damage is known, methods, and judges."""

"""What an experiment file says: parts, variants, claims, designs, tuning, budgets, predictions."""
